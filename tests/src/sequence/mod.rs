//! Sessions of applications whose workflows are known, what can go wrong in them, and how well the sequence detector finds it;
//! the same on recorded sessions of a web site.

mod applications;
mod browsing;
mod faults;
mod flow;
mod markov;
mod measurement;
mod tables;

pub use applications::applications;
pub use browsing::{
    BrowsingQuality, Injection, InjectionQuality, PageSessions, Part, PredictionQuality, Separation, measure_browsing,
    read_sessions,
};
pub use faults::{Fault, Possible};
pub use flow::{Application, Requirement, Step, Visitor};
pub use markov::{Markov, MarkovKind};
pub use measurement::{ApplicationQuality, FaultQuality, WorkflowSettings, measure_workflows};
pub use tables::{injection_table, prediction_table, workflow_table};
