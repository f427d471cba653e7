//! Networks that were tampered with are refused without a panic and without much memory.

use apiward_detector::limits;
use apiward_detector::network::Autoencoder;
use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const FEATURE_COUNT: usize = 6;
/// What loading may take beyond the file, of which some copies are made.
const LOADING_BYTES_MAX: usize = 2 * 1024 * 1024;
const COPIES_MAX: usize = 8;

#[derive(Debug, Clone)]
enum Change {
    Flip { at: Index, bits: u8 },
    Truncate { at: Index },
    Insert { at: Index, bytes: Vec<u8> },
    Remove { at: Index, bytes: usize },
    Repeat { at: Index, bytes: usize },
}

impl Change {
    fn apply(&self, onnx: &mut Vec<u8>) {
        if onnx.is_empty() {
            return;
        }
        let length = onnx.len();
        let range = |at: &Index, bytes: usize| at.index(length)..(at.index(length) + bytes).min(length);
        match self {
            Self::Flip { at, bits } => onnx[at.index(length)] ^= bits,
            Self::Truncate { at } => onnx.truncate(at.index(length)),
            Self::Insert { at, bytes } => drop(onnx.splice(range(at, 0), bytes.iter().copied())),
            Self::Remove { at, bytes } => drop(onnx.drain(range(at, *bytes))),
            Self::Repeat { at, bytes } => onnx.extend_from_within(range(at, *bytes)),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        8 => (at(), 1_u8..).prop_map(|(at, bits)| Change::Flip { at, bits }),
        1 => at().prop_map(|at| Change::Truncate { at }),
        2 => (at(), prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Change::Insert { at, bytes }),
        2 => (at(), 1..40_usize).prop_map(|(at, bytes)| Change::Remove { at, bytes }),
        1 => (at(), 1..2000_usize).prop_map(|(at, bytes)| Change::Repeat { at, bytes }),
    ]
}

/// Loads and, if that works, runs the network; checks the memory it took.
fn load(onnx: &[u8]) -> Result<(), TestCaseError> {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    if let Ok(network) = Autoencoder::load(onnx, FEATURE_COUNT)
        && let Ok(result) = network.reconstruct(&[0.5; FEATURE_COUNT], &[1.0; FEATURE_COUNT])
    {
        prop_assert!(result.error.is_finite());
        prop_assert_eq!(result.squared_error.len(), FEATURE_COUNT);
    }
    let taken = ALLOCATOR.peak_usage().saturating_sub(before);
    prop_assert!(taken <= LOADING_BYTES_MAX + COPIES_MAX * onnx.len(), "{} bytes for {}", taken, onnx.len());
    Ok(())
}

/// One test, since the memory is that of the whole process.
#[test]
fn tampered_networks_neither_panic_nor_take_much_memory() {
    let network = apiward_models::Autoencoder::for_features(FEATURE_COUNT).unwrap();
    let onnx = network.inference_onnx(&network.initial_parameters(7).unwrap(), 1).unwrap();
    load(&onnx).unwrap();

    let mut runner = TestRunner::new(ProptestConfig { cases: 2000, ..ProptestConfig::default() });
    runner
        .run(&prop::collection::vec(change(), 1..4), |changes| {
            let mut changed = onnx.clone();
            changes.iter().for_each(|change| change.apply(&mut changed));
            load(&changed)
        })
        .unwrap();

    // Two bytes per empty message, which would become hundreds each.
    for message in [b"\x0a\x00", b"\x2a\x00", b"\x5a\x00"] {
        load(&nested(&[7], &message.repeat(limits::NETWORK_BYTES_MAX / 2 - 16))).unwrap();
    }
    load(&nested(&[7, 1], &b"\x2a\x00".repeat(limits::NETWORK_BYTES_MAX / 2 - 16))).unwrap();
    // One byte per dimension, which would become eight.
    load(&nested(&[7, 5, 1], &vec![1; limits::NETWORK_BYTES_MAX - 32])).unwrap();
}

/// Length-delimited fields around `content`, outermost first.
fn nested(fields: &[u8], content: &[u8]) -> Vec<u8> {
    fields.iter().rev().fold(content.to_vec(), |content, field| {
        let mut message = vec![field << 3 | 2];
        let mut length = content.len();
        while length >= 0x80 {
            message.push(length as u8 | 0x80);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend(content);
        message
    })
}
