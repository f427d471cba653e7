//! The private cluster by itself.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use apiward_trainer::storage::cluster::{ClusterSettings, PrivateCluster};
use apiward_trainer::storage::{Database, DatabaseSource};
use nix::unistd::Uid;
use sqlx::{ConnectOptions as _, Connection as _};

fn settings(data_dir: &Path) -> ClusterSettings {
    ClusterSettings { data_dir: data_dir.to_owned(), programs: std::env::var_os("APIWARD_PG_BIN").map(Into::into) }
}

/// A data directory that an unprivileged account can enter.
pub fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    folder
}

fn server_pid(base: &Path) -> i32 {
    let file = std::fs::read_to_string(base.join("cluster/postmaster.pid")).unwrap();
    file.lines().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn it_keeps_its_data_and_is_alone_in_its_folder() {
    let folder = open_folder();
    let pid_file = folder.path().join("postgres/cluster/postmaster.pid");
    let first = PrivateCluster::start(&settings(folder.path())).await.unwrap();
    let mut connection = first.connect_options().connect().await.unwrap();
    sqlx::query("create table remembered as select 7 as number").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let error = PrivateCluster::start(&settings(folder.path())).await.unwrap_err();
    assert!(format!("{error:#}").contains("another trainer"), "{error:#}");
    first.stop().await.unwrap();
    assert!(!pid_file.exists());

    // As after a power cut: the file of a server that is no more, whose number another process has.
    let stale = format!("{}\n{}\n1\n5432\n\n\n", std::process::id(), folder.path().display());
    std::fs::write(&pid_file, stale).unwrap();
    let second = PrivateCluster::start(&settings(folder.path())).await.unwrap();
    let mut connection = second.connect_options().connect().await.unwrap();
    let number: i32 = sqlx::query_scalar("select number from remembered").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    assert_eq!(number, 7);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn it_runs_as_an_unprivileged_account_and_only_that_can_look_in() {
    let folder = open_folder();
    let cluster = PrivateCluster::start(&settings(folder.path())).await.unwrap();
    let base = folder.path().join("postgres");
    let metadata = std::fs::metadata(&base).unwrap();
    assert_eq!(metadata.mode() & 0o777, 0o700);
    let owner = std::fs::metadata(format!("/proc/{}", server_pid(&base))).unwrap().uid();
    assert_eq!(owner, metadata.uid());
    if Uid::effective().is_root() {
        assert_ne!(owner, 0);
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_data_directory_that_the_account_cannot_enter_is_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let data_dir = folder
        .path()
        .join("a folder with a name so long that no socket fits into it, whatever else is tried")
        .join("and one more below it");
    let database = Database::open(&DatabaseSource::Private(settings(&data_dir))).await.unwrap();
    let answer: i32 = sqlx::query_scalar("select 42").fetch_one(&database.pool).await.unwrap();
    assert_eq!(answer, 42);
    let elsewhere = database.cluster.as_ref().unwrap().folder().to_owned();
    database.close().await.unwrap();
    assert_eq!(elsewhere.starts_with(folder.path()), !Uid::effective().is_root());
    std::fs::remove_dir_all(elsewhere).unwrap();
}

#[tokio::test]
async fn a_wrong_folder_of_programs_is_named() {
    let folder = open_folder();
    let wrong = ClusterSettings { data_dir: folder.path().to_owned(), programs: Some("/nowhere".into()) };
    let error = format!("{:#}", PrivateCluster::start(&wrong).await.unwrap_err());
    assert!(error.contains("/nowhere"), "{error}");
}
