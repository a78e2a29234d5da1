//! How sleeping backends are woken: the calls of the drivers.

pub mod driver;
