"""A real SMTP server for tests (aiosmtpd): keeps each mail, taken apart by Python's own parser, as a file of JSON."""

import asyncio
import base64
import email
import email.policy
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

manners = json.loads(sys.argv[1])
directory = sys.argv[2]
taken = 0


class Keeper:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        global taken
        if manners["slow"]:
            await asyncio.sleep(3600)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = []
        for part in message.walk():
            if part.is_multipart():
                parts.append({"type": part.get_content_type()})
                continue
            parts.append({
                "type": part.get_content_type(),
                "id": part.get("Content-ID"),
                "text": part.get_content() if part.get_content_maintype() == "text" else None,
                "base64": base64.b64encode(part.get_payload(decode=True)).decode(),
            })
        kept = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "user": session.auth_data,
            "headers": [[name, str(value)] for name, value in message.items()],
            "parts": parts,
        }
        taken += 1
        path = os.path.join(directory, "%04d.json" % taken)
        with open(path + ".part", "w") as file:
            json.dump(kept, file)
        os.rename(path + ".part", path)
        return "250 2.0.0 kept as %d" % taken


def login(server, session, envelope, mechanism, data):
    user, password = data.login.decode(), data.password.decode()
    if [user, password] == manners["login"]:
        return AuthResult(success=True, auth_data=user)
    return AuthResult(success=False, handled=False, message="535 5.7.8 wrong user or password, says the test")


async def main():
    context = None
    if manners["starttls"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem"))
    loop = asyncio.get_running_loop()

    def talk():
        return SMTP(
            Keeper(),
            hostname="mail.test",
            tls_context=context,
            require_starttls=context is not None,
            authenticator=login,
            auth_required=manners["login"] is not None,
            auth_require_tls=context is not None,
            loop=loop,
        )

    server = await loop.create_server(talk, "127.0.0.1", manners["port"])
    with open(os.path.join(directory, "port.part"), "w") as file:
        file.write(str(server.sockets[0].getsockname()[1]))
    os.rename(os.path.join(directory, "port.part"), os.path.join(directory, "port"))
    await server.serve_forever()


asyncio.run(main())
