//! Plain Markov models of the next page: what the sequence detector is measured beside.

use std::collections::{HashMap, HashSet};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkovKind {
    /// The page before.
    Order1,
    /// The two pages before; the one before where they were never seen.
    Order2,
    /// The same, with pages that the session has been to at a twentieth.
    Order2Visited,
}

/// Weight of a page that the session has been to.
const VISITED_WEIGHT: f64 = 0.05;
/// What the score of a shorter context is multiplied by.
const BACK_OFF: f64 = 0.4;
/// Share of the popularity of pages in every prediction, so that none is impossible.
const POPULARITY_SHARE: f64 = 0.05;
/// What every page takes off a sum, in nats.
const DRIFT: f64 = 1.0;
/// Least probability of a page.
const PROBABILITY_MIN: f64 = 1e-7;

type Followers = HashMap<u32, f64>;

/// Relative frequencies of what followed.
#[derive(Debug, Default)]
pub struct Markov {
    popularity: Followers,
    by_one: HashMap<u32, Followers>,
    by_two: HashMap<(u32, u32), Followers>,
}

impl Markov {
    pub fn of(sessions: &[Vec<u32>]) -> Self {
        let mut markov = Self::default();
        for session in sessions {
            for page in session {
                *markov.popularity.entry(*page).or_default() += 1.0;
            }
            for pair in session.windows(2) {
                *markov.by_one.entry(pair[0]).or_default().entry(pair[1]).or_default() += 1.0;
            }
            for three in session.windows(3) {
                *markov.by_two.entry((three[0], three[1])).or_default().entry(three[2]).or_default() += 1.0;
            }
        }
        let all = markov.by_one.values_mut().chain(markov.by_two.values_mut()).chain([&mut markov.popularity]);
        for followers in all {
            let total: f64 = followers.values().sum();
            followers.values_mut().for_each(|count| *count /= total);
        }
        markov
    }

    /// The most probable pages after a history, at most `count`.
    pub fn most_probable(&self, kind: MarkovKind, before: &[u32], count: usize) -> Vec<u32> {
        let visited: HashSet<u32> = before.iter().copied().collect();
        let weight = |page: u32| match kind {
            MarkovKind::Order2Visited if visited.contains(&page) => VISITED_WEIGHT,
            _ => 1.0,
        };
        // What a longer context has not seen comes after it, at a fraction (Brants et al., EMNLP 2007).
        let mut scores: HashMap<u32, f64> = HashMap::new();
        let by_order = [self.followers(kind, before), self.followers(MarkovKind::Order1, before), &self.popularity];
        let mut fraction = 1.0;
        for followers in by_order {
            for (page, share) in followers {
                scores.entry(*page).or_insert(fraction * share * weight(*page));
            }
            fraction *= BACK_OFF;
            if scores.len() >= count + before.len() {
                break;
            }
        }
        let mut ranked: Vec<(f64, u32)> = scores.into_iter().map(|(page, score)| (score, page)).collect();
        ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        ranked.into_iter().take(count).map(|(_, page)| page).collect()
    }

    /// Mean −ln p of the pages of sessions, their first ones aside.
    pub fn mean_nats(&self, kind: MarkovKind, sessions: &[Vec<u32>]) -> f64 {
        let nats: Vec<f64> = sessions.iter().flat_map(|session| self.course(kind, session)).collect();
        nats.iter().sum::<f64>() / nats.len().max(1) as f64
    }

    /// The highest sum of −ln p beyond `usual` that a session gets to, by CUSUM.
    pub fn highest_sum(&self, kind: MarkovKind, session: &[u32], usual: f64) -> f32 {
        let (mut sum, mut highest) = (0.0_f64, 0.0_f64);
        for nats in self.course(kind, session) {
            sum = (sum + nats - usual - DRIFT).max(0.0);
            highest = highest.max(sum);
        }
        highest as f32
    }

    fn course(&self, kind: MarkovKind, session: &[u32]) -> Vec<f64> {
        (1..session.len()).map(|place| self.nats(kind, &session[..place], session[place])).collect()
    }

    fn nats(&self, kind: MarkovKind, before: &[u32], page: u32) -> f64 {
        let followers = self.followers(kind, before);
        let share = |page: u32| followers.get(&page).copied().unwrap_or(0.0);
        let mut probability = share(page);
        if kind == MarkovKind::Order2Visited {
            let visited: HashSet<u32> = before.iter().copied().collect();
            let total = 1.0 - (1.0 - VISITED_WEIGHT) * visited.iter().map(|page| share(*page)).sum::<f64>();
            probability *= if visited.contains(&page) { VISITED_WEIGHT } else { 1.0 } / total.max(VISITED_WEIGHT);
        }
        let popularity = self.popularity.get(&page).copied().unwrap_or(0.0);
        -((1.0 - POPULARITY_SHARE) * probability + POPULARITY_SHARE * popularity).max(PROBABILITY_MIN).ln()
    }

    fn followers(&self, kind: MarkovKind, before: &[u32]) -> &Followers {
        let by_two = match (kind, before) {
            (MarkovKind::Order2 | MarkovKind::Order2Visited, [.., one, next]) => self.by_two.get(&(*one, *next)),
            _ => None,
        };
        let by_one = || before.last().and_then(|last| self.by_one.get(last));
        by_two.or_else(by_one).unwrap_or(&self.popularity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_contexts_come_first_and_visited_pages_last() {
        let markov = Markov::of(&[vec![1, 2, 3, 4], vec![1, 2, 3, 4], vec![5, 2, 6], vec![5, 2, 6], vec![5, 2, 6]]);
        assert_eq!(markov.most_probable(MarkovKind::Order1, &[1, 2], 1), [6]);
        assert_eq!(markov.most_probable(MarkovKind::Order2, &[1, 2], 1), [3]);
        assert_eq!(markov.most_probable(MarkovKind::Order1, &[6, 5, 2], 2), [6, 3]);
        assert_eq!(markov.most_probable(MarkovKind::Order2Visited, &[6, 9, 2], 2), [3, 6]);
        assert_eq!(markov.most_probable(MarkovKind::Order2, &[99], 1), [2]);
        let nats = |session: &[u32]| markov.mean_nats(MarkovKind::Order2, &[session.to_vec()]);
        assert!(nats(&[1, 2, 3, 4]) < nats(&[4, 1, 6]));
        let sum = |session: &[u32]| markov.highest_sum(MarkovKind::Order2, session, 1.0);
        assert!(sum(&[1, 2, 3, 4]) < sum(&[4, 1, 6, 3]));
    }
}
