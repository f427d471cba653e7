//! The payload detector: is a value of the request an attack?

pub mod plain;
pub mod undo;
