// An OpenID provider on loopback, made with npm's `oidc-provider`: real tokens, real keys, accounts of a test.
//
// Its one argument is JSON: { modules, port, client: { id, secret, redirect }, accounts: [{ name, email, groups }] }.
// People sign in by their name alone, and are not asked for consent. It ends when its standard input does.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const told = JSON.parse(process.argv[2]);
const { default: Provider } = await import(pathToFileURL(`${told.modules}/oidc-provider/lib/index.js`));

const issuer = `http://127.0.0.1:${told.port}`;
const accounts = new Map(told.accounts.map((account) => [account.name, account]));
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const provider = new Provider(issuer, {
  clients: [{
    client_id: told.client.id,
    client_secret: told.client.secret,
    redirect_uris: [told.client.redirect],
    // A native application may come back to any port of loopback.
    application_type: 'native',
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomBytes(8).toString('hex') }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username'],
    groups: ['groups'],
  },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => accounts.has(id) ? {
    accountId: id,
    claims: () => {
      const { name, email, groups } = accounts.get(id);
      return { sub: id, name, preferred_username: name, email, email_verified: true, groups };
    },
  } : undefined,
  // What the client asks for is granted: nobody is there to be asked.
  loadExistingGrant: async (context) => {
    const grant = new context.oidc.provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope('openid email profile groups offline_access');
    await grant.save();
    return grant;
  },
  ttl: { Interaction: 600, Session: 3600, Grant: 3600, AccessToken: 3600, IdToken: 3600, AuthorizationCode: 60 },
});

const form = (uid, complaint) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Test provider</title><link rel="icon" href="data:,"></head>
<body><main><h1>Test provider</h1>${complaint ? `<p role="alert">${complaint}</p>` : ''}
<form method="post" action="/interaction/${uid}">
<label>Name <input name="login" autofocus required></label> <button>Sign in</button>
</form></main></body></html>`;

const say = (response, status, text) => {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' });
  response.end(text);
};

async function interact(request, response) {
  const { uid } = await provider.interactionDetails(request, response);
  if (request.method !== 'POST') return say(response, 200, form(uid));
  let body = '';
  for await (const piece of request) body += piece;
  const login = new URLSearchParams(body).get('login');
  if (!accounts.has(login)) return say(response, 400, form(uid, 'Nobody has that name.'));
  // A native application asks for consent each time, and this is it.
  const result = { login: { accountId: login }, consent: {} };
  await provider.interactionFinished(request, response, result);
}

const answer = provider.callback();
const server = createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return answer(request, response);
  interact(request, response).catch((error) => say(response, 400, form('', String(error.message))));
});
server.listen(told.port, '127.0.0.1');

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
