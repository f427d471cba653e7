//! Shares with their uncertainty.

use std::fmt;

use serde::Serialize;

/// Two-sided 95 % quantile of the normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

/// `count` out of `total`, with the 95 % bounds of Wilson (1927), which hold up for small counts and shares near 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Proportion {
    pub count: u64,
    pub total: u64,
    /// 0..1; `None` when there is nothing to take a share of.
    pub share: Option<f64>,
    /// Lower and upper bound of the share, 0..1.
    pub bounds: Option<[f64; 2]>,
}

impl Proportion {
    /// `count` is at most `total`.
    pub fn of(count: u64, total: u64) -> Self {
        if total == 0 {
            return Self { count, total, share: None, bounds: None };
        }
        let n = total as f64;
        let share = count as f64 / n;
        let z_squared = Z_95 * Z_95;
        let centre = (share + z_squared / (2.0 * n)) / (1.0 + z_squared / n);
        let half_width = Z_95 / (1.0 + z_squared / n) * (share * (1.0 - share) / n + z_squared / (4.0 * n * n)).sqrt();
        // At the ends the bound is exactly 0 or 1; rounding would leave it a hair beside.
        let low = if count == 0 { 0.0 } else { (centre - half_width).max(0.0) };
        let high = if count == total { 1.0 } else { (centre + half_width).min(1.0) };
        Self { count, total, share: Some(share), bounds: Some([low, high]) }
    }

    /// Lower bound of the share; 0 when nothing was counted.
    pub fn lower(&self) -> f64 {
        self.bounds.map_or(0.0, |[low, _]| low)
    }

    /// Upper bound of the share; 1 when nothing was counted.
    pub fn upper(&self) -> f64 {
        self.bounds.map_or(1.0, |[_, high]| high)
    }
}

/// `99.00 % (97.13 to 99.66; 297 of 300)`
impl fmt::Display for Proportion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = [self.share.unwrap_or(0.0), self.lower(), self.upper()].map(|share| 100.0 * share);
        let [share, low, high] = percent;
        write!(formatter, "{share:.2} % ({low:.2} to {high:.2}; {} of {})", self.count, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_bounds_match_published_values() {
        // Newcombe (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29.
        let check = |count, total, low: f64, high: f64| {
            let bounds = Proportion::of(count, total).bounds.unwrap();
            assert!((bounds[0] - low).abs() < 5e-5, "{count}/{total}: {bounds:?}");
            assert!((bounds[1] - high).abs() < 5e-5, "{count}/{total}: {bounds:?}");
        };
        check(81, 263, 0.2553, 0.3662);
        check(15, 148, 0.0624, 0.1605);
        check(0, 20, 0.0, 0.1611);
        check(1, 29, 0.0061, 0.1718);
    }

    #[test]
    fn nothing_has_no_share() {
        assert_eq!(Proportion::of(0, 0).share, None);
        assert_eq!((Proportion::of(0, 0).lower(), Proportion::of(0, 0).upper()), (0.0, 1.0));
        assert_eq!(Proportion::of(7, 7).bounds.unwrap()[1], 1.0);
        assert_eq!(Proportion::of(297, 300).to_string(), "99.00 % (97.10 to 99.66; 297 of 300)");
    }
}
