//! What is needed to tell of a statement that ended unnoticed: its client left while a coordinator was being asked.

use std::sync::{Mutex, PoisonError};

use super::{query::About, story::Untold};

/// A statement that counts and is no query yet, if it is one.
#[derive(Debug, Default)]
pub(super) struct Unfinished(Mutex<Option<Box<About>>>);

impl Unfinished {
    pub(super) fn is(&self, about: &About) {
        // Without its origin, which holds this; the span ends by itself.
        let about = About { origin: Untold::default(), span: None, ..about.clone() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(about));
    }

    pub(super) fn is_not(&self) -> Option<Box<About>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
