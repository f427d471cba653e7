//! The sample shop on a socket.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::shop::{self, Control, Release, Shop, ShopClock};

/// A shop that answers on a free loopback port until it is dropped.
pub struct ShopServer {
    shop: Arc<Shop>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl ShopServer {
    /// # Errors
    /// When there is no free port.
    pub async fn start(release: Release) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listen as the shop")?;
        let address = listener.local_addr()?;
        let shop = Shop::new(release, ShopClock::System);
        let served = Arc::clone(&shop);
        let serving = tokio::spawn(async move {
            if let Err(error) = shop::serve(&served, listener, std::future::pending()).await {
                eprintln!("the shop stopped: {error}");
            }
        });
        Ok(Self { shop, address, serving })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Release and outage.
    pub fn control(&self) -> &Control {
        self.shop.control()
    }
}

impl Drop for ShopServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
