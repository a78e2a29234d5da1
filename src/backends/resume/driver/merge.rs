//! Merge patches (RFC 7386) against what is there: what of a patch would change anything.
//!
//! So a call that finds its work done writes nothing, and a resume lowers no number: where the patch says 1 and
//! there are 3, the 3 stay. Kubernetes leaves a field out that is 0, so an absent one counts as lower.

use serde_json::{Map, Value};

/// The part of a patch that changes something, or `None`; with `only_up` a number that is there is never lowered.
pub(super) fn needed(present: &Value, patch: &Value, only_up: bool) -> Option<Value> {
    let Value::Object(patch) = patch else {
        let keep = present == patch || (only_up && is_lower(patch, present));
        return (!keep).then(|| patch.clone());
    };
    let absent = Value::Null;
    let mut changes = Map::new();
    for (key, wanted) in patch {
        let there = present.get(key);
        match (there, wanted) {
            (None, Value::Null) => {}
            // An absent object is made even if it is empty.
            (None, Value::Object(inner)) if inner.is_empty() => {
                changes.insert(key.clone(), wanted.clone());
            }
            _ => {
                let change = needed(there.unwrap_or(&absent), wanted, only_up);
                changes.extend(change.map(|change| (key.clone(), change)));
            }
        }
    }
    (!changes.is_empty()).then_some(Value::Object(changes))
}

fn is_lower(wanted: &Value, present: &Value) -> bool {
    match (wanted.as_f64(), present.as_f64()) {
        (Some(wanted), Some(present)) => wanted < present,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_needed() {
        let present = json!({"spec": {"stopped": true, "kept": 1}, "metadata": {"name": "a"}});
        let patch = json!({"spec": {"stopped": false, "kept": 1}});
        assert_eq!(needed(&present, &patch, true), Some(json!({"spec": {"stopped": false}})));
        assert_eq!(needed(&present, &json!({"spec": {"stopped": true}}), true), None);
        assert_eq!(
            needed(&present, &json!({"spec": {"kept": null}}), true),
            Some(json!({"spec": {"kept": null}}))
        );
        assert_eq!(needed(&present, &json!({"spec": {"gone": null}}), true), None);
        assert_eq!(
            needed(&json!({}), &json!({"a": {"b": {"c": 1}}}), true),
            Some(json!({"a": {"b": {"c": 1}}}))
        );
        assert_eq!(needed(&json!({}), &json!({"a": {}}), true), Some(json!({"a": {}})));
        assert_eq!(needed(&json!({"a": {}}), &json!({"a": {}}), true), None);
        assert_eq!(needed(&json!({"a": [1]}), &json!({"a": [2]}), true), Some(json!({"a": [2]})));
    }

    #[test]
    fn a_number_is_lowered_only_by_a_suspend() {
        let (three, one) = (json!({"spec": {"replicas": 3}}), json!({"spec": {"replicas": 1}}));
        assert_eq!(needed(&three, &one, true), None);
        assert_eq!(needed(&three, &one, false), Some(one.clone()));
        assert_eq!(needed(&one, &three, true), Some(three));
        assert_eq!(needed(&json!({"spec": {}}), &one, true), Some(one));
    }
}
