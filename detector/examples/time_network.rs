use std::time::Instant;
fn main() {
    let f = apiward_detector::profile::feature_count();
    for f in [f, 64, 128] {
    let n = apiward_models::Autoencoder::for_features(f).unwrap();
    let onnx = n.inference_onnx(&n.initial_parameters(1).unwrap(), 1).unwrap();
    let t = Instant::now();
    for _ in 0..100 { std::hint::black_box(apiward_detector::network::Autoencoder::load(&onnx, f).unwrap()); }
    let load = t.elapsed() / 100;
    let net = apiward_detector::network::Autoencoder::load(&onnx, f).unwrap();
    let x: Vec<f32> = (0..f).map(|i| (i as f32 * 0.7).sin()).collect();
    let mut best = f64::MAX;
    for visible in [1.0f32, 0.0] {
      let v = vec![visible; f];
      for _ in 0..20 { let t = Instant::now(); for _ in 0..2000 { std::hint::black_box(net.reconstruct(&x, &v).unwrap()); } best = best.min(t.elapsed().as_secs_f64() / 2000.0); }
      println!("F={f} hidden {:?} {:?} bytes {} load {load:?} call {:.2} us (visible {visible})", n.hidden(), n.cost().unwrap(), onnx.len(), best * 1e6);
      best = f64::MAX;
    }
    }
}
