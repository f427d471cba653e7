//! Sessions of applications whose workflows are known, what can go wrong in them, and how well the sequence detector finds it.

mod applications;
mod faults;
mod flow;
mod measurement;

pub use applications::applications;
pub use faults::{Fault, Possible};
pub use flow::{Application, Requirement, Step, Visitor};
pub use measurement::{ApplicationQuality, FaultQuality, WorkflowSettings, measure_workflows};
