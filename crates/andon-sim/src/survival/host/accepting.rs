//! How a simulated host takes an order in: by the core's rules, with every effect by itself.

use std::sync::Arc;

use andon_api::agent::{Order, Refusal};
use andon_core::host::effects::{ACCEPTANCE, Acceptance};
use andon_core::host::journal::{Start, start};

use super::{EFFECT, Silence, SimulatedHost, Work, full};
use crate::survival::disk::{Content, Name};
use crate::survival::sabotage::Sabotage;

impl SimulatedHost {
    /// Sees that the step of `order` was begun, now or at any time before.
    pub async fn start(self: &Arc<Self>, order: &Order) -> Result<(), Silence> {
        let life = self.life()?;
        let repeats = self.is_broken(Sabotage::StepsAreRepeated);
        if start(&self.fate(&order.token), None) == Start::Attach && !repeats {
            return Ok(());
        }
        let _charge = self.take_charge(life, &order.authority).await?;
        match start(&self.fate(&order.token), self.at_work()) {
            Start::Attach if !repeats => return Ok(()),
            Start::Busy(token) => return Err(Silence::Refused(Refusal::Busy(token))),
            Start::Attach | Start::Begin => {}
        }
        let mut accepted = None;
        for effect in ACCEPTANCE {
            self.pause(life, EFFECT).await?;
            let writes = matches!(
                effect,
                Acceptance::Directory | Acceptance::Order | Acceptance::Accepted | Acceptance::Reserve
            );
            if writes && self.is_full() {
                self.state().at_work.remove(&order.token);
                return Err(full());
            }
            let mut state = self.state();
            let name = Name::Step(order.token.clone());
            match effect {
                Acceptance::Directory | Acceptance::Order | Acceptance::Reserve | Acceptance::Flush => {}
                Acceptance::Lock => {
                    state.at_work.insert(order.token.clone(), Work { life, kill: false });
                }
                Acceptance::Accepted => accepted = Some(state.boot),
                Acceptance::Name => {
                    drop(state);
                    self.observe(|observer| observer.accepted(&self.name, order));
                    self.state().disk.set(name, Some(Content::Accepted(accepted)));
                }
                Acceptance::FlushName => state.disk.sync(&name),
            }
        }
        let (host, order) = (Arc::clone(self), order.clone());
        tokio::spawn(async move { host.keep(life, &order).await });
        Ok(())
    }
}
