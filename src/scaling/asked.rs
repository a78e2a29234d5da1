//! What a trigger's metadata asks for, read strictly: a slip is an error in words, never a default in its place.
//!
//! KEDA sends the trigger's whole metadata, keys of its own among them and perhaps new ones tomorrow, so a key that is
//! nothing like ours is let pass.

use std::collections::HashMap;

use sluice_routing::GroupName;
use tonic::Status;

use crate::{config::nearest::nearest, snapshot::Snapshot};

const GROUP: &str = "routingGroup";
const TARGET: &str = "targetInFlightPerWorker";
const ACTIVATION: &str = "activationInFlight";

/// As in all examples of `deploy/keda`: a worker bears a few queries.
pub(super) const USUAL_TARGET: f64 = 4.0;

/// KEDA writes three digits behind the point; less would be 0 in its HPA, which Kubernetes refuses.
const LEAST: f64 = 0.001;

/// Above it a number is a slip: no worker bears so many, and no group has them.
const MOST: f64 = 1e9;

/// What one trigger wants to know.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) group: GroupName,
    /// Queries that one worker bears.
    pub(super) target: f64,
    /// The group is wanted when its demand is above it.
    pub(super) activation: u64,
}

impl Asked {
    /// Reads it; fails with what is wrong, or with that there is no such group.
    pub(super) fn read(
        metadata: &HashMap<String, String>,
        snapshot: &Snapshot,
    ) -> Result<Self, Status> {
        // Sorted, so that the same metadata always have the same first problem.
        let mut keys: Vec<&str> = metadata.keys().map(String::as_str).collect();
        keys.sort_unstable();
        if let Some(words) = keys.into_iter().find_map(slip) {
            return Err(Status::invalid_argument(words));
        }
        let group = group(metadata.get(GROUP), snapshot)?;
        let target = match metadata.get(TARGET) {
            Some(text) => target(text)?,
            None => USUAL_TARGET,
        };
        let activation = metadata.get(ACTIVATION).map_or(Ok(0), |text| activation(text))?;
        Ok(Self { group, target, activation })
    }
}

/// What is wrong with a key that is nearly one of ours.
fn slip(key: &str) -> Option<String> {
    let meant = nearest(key, [GROUP, TARGET, ACTIVATION]).filter(|meant| *meant != key)?;
    Some(format!("unknown key `{}`; did you mean `{meant}`?", shown(key)))
}

fn group(said: Option<&String>, snapshot: &Snapshot) -> Result<GroupName, Status> {
    let Some(said) = said else {
        let words = format!("`{GROUP}` is missing from the trigger's metadata");
        return Err(Status::invalid_argument(words));
    };
    let Some(name) = GroupName::parse(said) else {
        let words = format!("{GROUP}: `{}` is no name of a routing group", shown(said));
        return Err(Status::invalid_argument(words));
    };
    match snapshot.group(&name) {
        Some(_) => Ok(name),
        None => Err(no_group(&name)),
    }
}

/// There is none of that name, or no longer.
pub(super) fn no_group(name: &GroupName) -> Status {
    Status::not_found(format!("no routing group `{name}` in the gateway's configuration"))
}

fn target(text: &str) -> Result<f64, Status> {
    let number = text.trim().parse::<f64>().ok();
    number.filter(|number| (LEAST..=MOST).contains(number)).ok_or_else(|| {
        let words = format!("{TARGET}: `{}` is no number from {LEAST} on", shown(text));
        Status::invalid_argument(words)
    })
}

fn activation(text: &str) -> Result<u64, Status> {
    text.trim().parse().map_err(|_| {
        let words = format!("{ACTIVATION}: `{}` is no whole number from 0 on", shown(text));
        Status::invalid_argument(words)
    })
}

/// Enough of what was said to find it again in the ScaledObject.
fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}
