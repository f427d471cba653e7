//! A classifier: features in, a logit for each class out.

use std::fmt;

use crate::bundle::BundleError;

use super::plan::Plan;
use super::{FEATURES, checked_graph, named, refused};

/// Output `[N, C]`: a logit for each class.
const LOGITS: &str = "logits";

/// A network from [`FEATURES`] `[1, F]` to [`LOGITS`] `[1, C]`, ready for several sizes of batches.
pub(crate) struct Classifier {
    /// Batch sizes in ascending order, each with its plan; all share the stored values.
    plans: Vec<(usize, Plan)>,
    features: usize,
    classes: usize,
}

impl fmt::Debug for Classifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = [self.features, self.classes];
        formatter.debug_struct("Classifier").field("shape", &shape).finish_non_exhaustive()
    }
}

impl Classifier {
    /// Checks the network, which is called `name` in errors, and builds it for each of `batch_sizes`, given in ascending
    /// order.
    ///
    /// # Errors
    /// When it breaks a cap, uses another operator than [`super::OPERATORS`], or has other inputs and outputs.
    pub(crate) fn load(
        onnx: &[u8],
        name: &str,
        features: usize,
        classes: usize,
        batch_sizes: &[usize],
    ) -> Result<Self, BundleError> {
        let load = || {
            let graph = checked_graph(onnx)?;
            let plan = |&rows: &usize| {
                let graph = graph.with_rows(rows)?;
                let plan = Plan::of(&graph, [rows, features], &[FEATURES], &[(LOGITS, &[rows, classes])])?;
                Ok((rows, plan))
            };
            let plans = batch_sizes.iter().map(plan).collect::<Result<Vec<_>, BundleError>>()?;
            let network = Self { plans, features, classes };
            network.logits(&mut vec![0.0; features]).map_err(refused)?;
            Ok(network)
        };
        named(load(), name)
    }

    /// The most rows that [`Self::logits`] takes at once.
    pub(crate) fn rows_max(&self) -> usize {
        self.plans.last().map_or(0, |(rows, _)| *rows)
    }

    /// The logits of rows of features, `[n, C]` for `[n, F]`, both in row-major order; the rows are filled up with zeros
    /// to the next batch size.
    ///
    /// # Errors
    /// When these are no whole rows, or too many, or a logit is no finite number.
    pub(crate) fn logits(&self, rows: &mut Vec<f32>) -> Result<Vec<f32>, String> {
        let count = rows.len() / self.features.max(1);
        if count * self.features != rows.len() {
            return Err(format!("{} values are no rows of {} features", rows.len(), self.features));
        }
        let (batch, plan) =
            self.plans.iter().find(|(batch, _)| *batch >= count).ok_or_else(|| format!("{count} rows are too many"))?;
        rows.resize(batch * self.features, 0.0);
        let mut logits = plan.run(&[rows.as_slice()])?.pop().ok_or("the plan has no output")?;
        logits.truncate(count * self.classes);
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err("a logit is no finite number".to_owned());
        }
        Ok(logits)
    }
}
