use std::os::unix::fs::PermissionsExt as _;

use apiward_detector::bundle::{PublicKey, SecretKey};

use crate::program::run;

#[test]
fn keygen_makes_a_pair_that_fits_and_keeps_the_secret_one_private() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("keys");
    let made = run(["keygen".as_ref(), "-o".as_ref(), target.as_os_str()]).succeeded();

    let secret: SecretKey = std::fs::read_to_string(target.join("apiward.key")).unwrap().parse().unwrap();
    let public: PublicKey = std::fs::read_to_string(target.join("apiward.pub")).unwrap().parse().unwrap();
    assert_eq!(secret.public(), public);
    let mode = std::fs::metadata(target.join("apiward.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(made.stdout.contains(&format!("\"public_keys\": [\"{public}\"]")), "{}", made.stdout);
    assert!(!made.stdout.contains(&secret.reveal()), "the secret key is printed");
}

#[test]
fn keygen_never_overwrites_a_key() {
    for existing in ["apiward.key", "apiward.pub"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(existing);
        std::fs::write(&file, "precious").unwrap();
        run(["keygen".as_ref(), "-o".as_ref(), folder.path().as_os_str()]).failed(1, "exists already");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
