//! `apiward keygen`: a signing key pair.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use crate::signing::create_key;

const SECRET_KEY_FILE: &str = "apiward.key";
const PUBLIC_KEY_FILE: &str = "apiward.pub";

/// Make the key pair by which bundles are signed and checked
///
/// Writes apiward.key, which only its owner may read and which the trainer signs with, and apiward.pub, which the filters
/// check with. Existing files are never overwritten.
#[derive(Debug, clap::Args)]
pub struct KeygenArgs {
    /// Folder for the two files; made if it does not exist
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    output: PathBuf,
}

pub fn run(args: &KeygenArgs) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.output).with_context(|| format!("create the folder {}", args.output.display()))?;
    let secret_path = args.output.join(SECRET_KEY_FILE);
    let public_path = args.output.join(PUBLIC_KEY_FILE);
    for path in [&secret_path, &public_path] {
        ensure!(
            !path.exists(),
            "{} exists already: keys are never overwritten, choose another folder with -o",
            path.display()
        );
    }
    let public = create_key(&secret_path)?.public();
    std::fs::write(&public_path, format!("{public}\n")).with_context(|| format!("write {}", public_path.display()))?;
    println!("secret key  {}  keep it; the trainer signs with it", secret_path.display());
    println!("public key  {}  key id {}", public_path.display(), public.id());
    println!();
    println!("For the trainer:              apiward serve --signing-key {}", secret_path.display());
    println!("In the filter's configuration:");
    println!("  \"public_keys\": [\"{public}\"]");
    Ok(())
}
