//! The places in a page that are looked at, and what each key of each object is.
//!
//! Key names count only in their own object: a `nextUri` inside `stats` or `data` is nobody's.

use crate::trino::head::text::unescape;

/// A value that the walk may tell of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Slot {
    Id,
    NextUri,
    InfoUri,
    PartialCancelUri,
    Columns,
    Data,
    Stats,
    Error,
    State,
    ErrorName,
    ErrorType,
    ErrorCode,
    Segments,
    Segment,
    SegmentUri,
    SegmentAckUri,
    Other,
}

/// An object (or list) whose members are looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Object {
    Page,
    Stats,
    Error,
    Data,
    Segments,
    Segment,
}

/// What is wanted of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Watch {
    /// Its text, if it is a string.
    Text,
    /// Its digits, if it is a number.
    Number,
    /// Its members, if it is of that kind.
    Inside(Object),
    /// That it is there; then its members, if it is that object, else it is skipped.
    Reached(Option<Object>),
    /// Nothing.
    Nothing,
}

impl Object {
    /// What `key` (as it stands in the page, escapes kept) is in this object.
    pub(crate) fn slot(self, key: &[u8]) -> Slot {
        if key.contains(&b'\\') {
            return unescape(key).map_or(Slot::Other, |key| self.plain_slot(key.as_bytes()));
        }
        self.plain_slot(key)
    }

    fn plain_slot(self, key: &[u8]) -> Slot {
        match (self, key) {
            (Self::Page, b"id") => Slot::Id,
            (Self::Page, b"nextUri") => Slot::NextUri,
            (Self::Page, b"infoUri") => Slot::InfoUri,
            (Self::Page, b"partialCancelUri") => Slot::PartialCancelUri,
            (Self::Page, b"columns") => Slot::Columns,
            (Self::Page, b"data") => Slot::Data,
            (Self::Page, b"stats") => Slot::Stats,
            (Self::Page, b"error") => Slot::Error,
            (Self::Stats, b"state") => Slot::State,
            (Self::Error, b"errorName") => Slot::ErrorName,
            (Self::Error, b"errorType") => Slot::ErrorType,
            (Self::Error, b"errorCode") => Slot::ErrorCode,
            (Self::Data, b"segments") => Slot::Segments,
            (Self::Segment, b"uri") => Slot::SegmentUri,
            (Self::Segment, b"ackUri") => Slot::SegmentAckUri,
            _ => Slot::Other,
        }
    }

    /// Where its end leads back to; `None` for the page itself.
    pub(crate) fn parent(self) -> Option<Self> {
        match self {
            Self::Page => None,
            Self::Stats | Self::Error | Self::Data => Some(Self::Page),
            Self::Segments => Some(Self::Data),
            Self::Segment => Some(Self::Segments),
        }
    }

    pub(crate) fn is_list(self) -> bool {
        self == Self::Segments
    }
}

impl Slot {
    pub(crate) fn watch(self, into_data: bool) -> Watch {
        match self {
            Self::Id
            | Self::NextUri
            | Self::InfoUri
            | Self::PartialCancelUri
            | Self::State
            | Self::ErrorName
            | Self::ErrorType
            | Self::SegmentUri
            | Self::SegmentAckUri => Watch::Text,
            Self::ErrorCode => Watch::Number,
            Self::Stats => Watch::Reached(Some(Object::Stats)),
            Self::Error => Watch::Reached(Some(Object::Error)),
            Self::Data if into_data => Watch::Reached(Some(Object::Data)),
            Self::Columns | Self::Data => Watch::Reached(None),
            Self::Segments => Watch::Inside(Object::Segments),
            Self::Segment => Watch::Inside(Object::Segment),
            Self::Other => Watch::Nothing,
        }
    }

    /// Whether it holds a URI that may have to point at the gateway.
    pub(crate) fn is_uri(self) -> bool {
        matches!(
            self,
            Self::NextUri
                | Self::InfoUri
                | Self::PartialCancelUri
                | Self::SegmentUri
                | Self::SegmentAckUri
        )
    }
}
