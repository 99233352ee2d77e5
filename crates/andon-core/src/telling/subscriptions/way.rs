//! How somebody wants to be told, as they say it: a mail to an address, or a message to a hook whose address is given or
//! kept as a secret.

use super::{SubscriptionError, Way};
use crate::line::{Hook, HookForm, HookUrl, MailAddress, MailServer};
use crate::name::SecretName;
use crate::telling::Route;

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mail, Self::Chat, Self::Webhook];

    /// Its name, for programs and at the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Chat => "chat",
            Self::Webhook => "webhook",
        }
    }

    /// The way to `to`. Mail is sent by `server`, the one that the line names.
    ///
    /// # Errors
    /// `to` is no such address; there is no server.
    pub fn to(self, to: &str, server: Option<&MailServer>) -> Result<Route, SubscriptionError> {
        let to = to.trim();
        let form = match self {
            Self::Mail => {
                let to = MailAddress::new(to)?;
                let server = server.ok_or(SubscriptionError::NoMail)?.clone();
                return Ok(Route::Mail { server, to });
            }
            Self::Chat => HookForm::Slack,
            Self::Webhook => HookForm::Json,
        };
        let url = if to.contains("://") {
            HookUrl::Said(to.to_owned())
        } else {
            HookUrl::Secret(SecretName::new(to).map_err(|_| SubscriptionError::Nowhere)?)
        };
        Ok(Route::Hook(Hook { form, url, secret: None, ca: None }))
    }
}

impl std::str::FromStr for Way {
    type Err = SubscriptionError;
    fn from_str(text: &str) -> Result<Self, SubscriptionError> {
        Self::ALL.into_iter().find(|way| way.name() == text).ok_or(SubscriptionError::NoWay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_an_address_a_url_or_the_name_of_a_secret() {
        assert_eq!(Way::Mail.to("ana@example.com", None), Err(SubscriptionError::NoMail));
        assert!(matches!(Way::Mail.to("ana", None), Err(SubscriptionError::Mail(_))));
        let chat = Way::Chat.to(" https://chat.example.com/x ", None).unwrap();
        assert!(
            matches!(&chat, Route::Hook(Hook { form: HookForm::Slack, url: HookUrl::Said(url), .. }) if url == "https://chat.example.com/x")
        );
        let webhook = Way::Webhook.to("tell-ana", None).unwrap();
        assert!(
            matches!(&webhook, Route::Hook(Hook { url: HookUrl::Secret(name), .. }) if name.as_str() == "tell-ana")
        );
        assert_eq!(Way::Chat.to("what is this", None), Err(SubscriptionError::Nowhere));
        assert!(Way::ALL.into_iter().all(|way| way.name().parse() == Ok(way)));
        assert_eq!("pigeon".parse::<Way>(), Err(SubscriptionError::NoWay));
    }
}
