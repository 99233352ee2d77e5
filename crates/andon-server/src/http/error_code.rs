//! Why a request is not done, as programs read it: a closed set, each code with its status and its meaning.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

macro_rules! codes {
    ($($name:ident $status:ident $meaning:literal),* $(,)?) => {
        /// Why a request is not done. The set is closed: a new code comes with a new version.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum ErrorCode {
            $(#[doc = $meaning] $name,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the reference.
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];

            /// The status of an answer with this code.
            pub(super) fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)*
                }
            }

            /// What it means: one sentence.
            pub(super) fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }
        }
    };
}

codes! {
    InvalidRequest BAD_REQUEST "The request makes no sense.",
    Unauthorised UNAUTHORIZED "Nobody knows who asks: a token is missing or wrong.",
    Forbidden FORBIDDEN "Whoever asks may not do that.",
    NotFound NOT_FOUND "There is no such thing.",
    MethodNotAllowed METHOD_NOT_ALLOWED "There is such a thing, and it does not do that.",
    TooSlow REQUEST_TIMEOUT "The request did not come within its time.",
    TooLarge PAYLOAD_TOO_LARGE "The request is longer than it may be.",
    TooMany TOO_MANY_REQUESTS "There are as many as there may be.",
    IdempotencyMismatch CONFLICT "The idempotency key stands for another request.",
    IdempotencyInFlight CONFLICT "The first request with this idempotency key is not answered yet.",
    IdempotencyUnknown CONFLICT "Nobody knows any more what the first request with this idempotency key was answered: look whether it was done.",
    Conflict CONFLICT "It contradicts what is there.",
    NotNow CONFLICT "It makes no sense in the present state.",
    LineStopped CONFLICT "The line is stopped: only rollbacks and declared fixes begin.",
    Held CONFLICT "The service waits there for a person: only a rollback or the declared fix passes.",
    Occupied CONFLICT "Another deployment is at work there, and the line says not to wait.",
    Orphaned CONFLICT "Another deployment owns these hosts, and the process that drove it is gone.",
    Driven CONFLICT "Another process drives this deployment.",
    TakenOver CONFLICT "Another process took this deployment over.",
    HostTaken CONFLICT "A host takes its orders from another ledger, which took it over.",
    GivenUp CONFLICT "It was given up before anything was changed.",
    Unconfirmed CONFLICT "The environment is protected, and its name was not said.",
    Unapproved CONFLICT "The line asks for approvals of others, and they are missing.",
    TooWide CONFLICT "More hosts would change at one go than the environment allows.",
    NothingToDo CONFLICT "Every host is on the release already, and serves.",
    NothingToGoBackTo CONFLICT "There is no good release to go back to.",
    NoHosts CONFLICT "The environment has no hosts.",
    BadRelease CONFLICT "The release was put back before.",
    UnfitRelease CONFLICT "The release is not there, is not one that hosts would unpack, or is not signed as the line asks.",
    HostsUnreachable CONFLICT "More hosts do not answer than may be missing.",
    HostsFull CONFLICT "Hosts have too little space.",
    HostsUnfit CONFLICT "Something on a host will keep the release from working.",
    ForeignHost CONFLICT "A host obeys another ledger.",
    BalancerTrouble CONFLICT "A balancer does not answer, or does not do what it is told.",
    FloorBroken CONFLICT "Too few hosts would serve.",
    MissingSecret CONFLICT "A production test needs a secret that is not to be had.",
    NoLine SERVICE_UNAVAILABLE "The server has no line that can be read.",
    LedgerDamaged SERVICE_UNAVAILABLE "The ledger is damaged, or has lost its end: nothing is recorded until that is mended.",
    LedgerNewer SERVICE_UNAVAILABLE "A newer Andon has written into the ledger.",
    LedgerFull SERVICE_UNAVAILABLE "There is no space left for the ledger.",
    Unavailable SERVICE_UNAVAILABLE "Something that Andon needs failed.",
}
