//! Why a statement waits, or waits no more, in sentences for people: on its page, in lists, in its last page.

use crate::{
    queries::room::{GaveUp, Waiting, WaitingState, Why},
    snapshot::{Group, Snapshot},
    trino::synthetic::{CANCELED, killed},
};

impl Waiting {
    /// Where it stands by that snapshot.
    pub fn reason(&self, snapshot: &Snapshot) -> String {
        if let WaitingState::Ended(gave_up) = self.state() {
            return gave_up.sentence(self.group.as_str());
        }
        let Some(group) = snapshot.group(&self.group) else {
            return "its routing group is not configured any more".to_owned();
        };
        if group.members.iter().any(|member| member.is_ready()) {
            return "all places of the group are taken, or it is not yet its turn".to_owned();
        }
        not_ready(group)
    }
}

fn not_ready(group: &Group) -> String {
    let woken = group.members.iter().filter_map(|member| Some((member, member.wake?)));
    let states: Vec<String> = woken
        .map(|(member, wake)| format!("backend {} is {}", member.name, wake.as_str()))
        .collect();
    if states.is_empty() {
        "no backend of the group is ready".to_owned()
    } else {
        states.join(", ")
    }
}

impl GaveUp {
    /// The message of its last page: Trino's own words where Trino has some, else with the group's name.
    pub fn sentence(&self, group: &str) -> String {
        match self.why {
            Why::Canceled => CANCELED.to_owned(),
            Why::Killed => killed(Some(&self.words)),
            _ => format!("{group}: {}", self.words),
        }
    }
}
