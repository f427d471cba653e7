//! Simulated customers and attackers of the sample shop.
