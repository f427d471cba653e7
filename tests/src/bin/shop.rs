//! The sample shop as a program.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use apiward_e2e::shop::{self, Release, Shop, ShopClock};
use clap::Parser;
use tokio::net::TcpListener;

/// The shop's API whose traffic apiward learns.
#[derive(Parser)]
struct Arguments {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    address: IpAddr,
    /// Port of the public API; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Port of /__control (release, outage); 0 takes a free one
    #[arg(long, default_value_t = 8081)]
    control_port: u16,
    /// Release to start with
    #[arg(long, value_enum, default_value = "1")]
    release: Release,
}

/// Open keep-alive connections may take this long after the signal to stop.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(1);

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}, choose another port"))
}

async fn stop_signal() {
    let interrupted = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupted.await;
        }
    }
}

async fn stop_after_draining() {
    stop_signal().await;
    tokio::time::sleep(DRAIN_TIME_MAX).await;
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let public = bind(SocketAddr::new(arguments.address, arguments.port)).await?;
    let control = bind(SocketAddr::new(arguments.address, arguments.control_port)).await?;
    println!("shop http://{}", public.local_addr()?);
    println!("control http://{}/__control", control.local_addr()?);
    let shop = Shop::new(arguments.release, ShopClock::System);
    tokio::select! {
        served = shop::serve(&shop, public, stop_signal()) => served.context("the shop stopped")?,
        served = shop::serve_control(&shop, control, stop_signal()) => {
            served.context("the control port stopped")?;
        }
        () = stop_after_draining() => {}
    }
    Ok(())
}
