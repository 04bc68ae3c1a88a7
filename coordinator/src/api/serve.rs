//! The server below the router: accepts connections, speaks TLS where configured, bounds what a client may hold, and ends.
//!
//! `app.rs` runs [`serve`] until it is told to stop. What must stay true: nothing that one client does keeps another
//! waiting (handshakes run beside the accept loop; heads, answers and handshakes have time limits; connections are counted
//! in all and per address); told to stop, it accepts nothing more, lets requests in flight finish, and returns.

use super::address;
use super::tls::Tls;
use crate::app::App;
use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::HashMap;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Sleep, sleep, timeout};
use tower_http::add_extension::AddExtension;

/// The pause after the system could not accept: it has no file descriptors left, and asking again at once helps nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every connection needs.
struct Server {
    app: App,
    router: Router,
    tls: Option<Arc<Tls>>,
    places: Arc<Semaphore>,
    of_address: Mutex<HashMap<IpAddr, usize>>,
    stopped: watch::Receiver<bool>,
}

/// Serves until `stopped` turns true, then until the last connection has ended.
pub async fn serve(
    listener: TcpListener,
    app: App,
    router: Router,
    tls: Option<Arc<Tls>>,
    stopped: watch::Receiver<bool>,
) {
    let places_all = app.config.server.connections_max.min(Semaphore::MAX_PERMITS >> 3);
    let places = Arc::new(Semaphore::new(places_all));
    let of_address = Mutex::new(HashMap::new());
    let server = Server { app, router, tls, places: places.clone(), of_address, stopped: stopped.clone() };
    let server = Arc::new(server);
    tokio::select! {
        () = accept_all(listener, &server) => {}
        () = told(stopped) => {}
    }
    // The listener is closed by now; every place comes back when its connection has ended.
    let all = u32::try_from(places_all).unwrap_or(u32::MAX);
    let _ = places.acquire_many(all).await;
}

/// Returns when told to stop, or when nobody is left who could say so.
async fn told(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn accept_all(listener: TcpListener, server: &Arc<Server>) {
    // Without a place nothing is accepted: clients wait in the system's queue. The semaphore is never closed.
    while let Ok(place) = server.places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Some(held) = hold(server, peer.ip(), place) {
                    tokio::spawn(one(server.clone(), stream, peer, held));
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "a connection cannot be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

/// A connection's place among all and among those of its address; given back when dropped.
struct Held {
    server: Arc<Server>,
    address: Option<IpAddr>,
    _place: OwnedSemaphorePermit,
}

/// `None` if the address holds as many as it may. Trusted proxies are exempt: they speak for many.
fn hold(server: &Arc<Server>, ip: IpAddr, place: OwnedSemaphorePermit) -> Option<Held> {
    let (ip, config) = (ip.to_canonical(), &server.app.config.server);
    let address = (!address::within(ip, &config.trusted_proxies)).then_some(address::household(ip));
    if let Some(ip) = address {
        let mut of_address = server.of_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = of_address.entry(ip).or_default();
        if *count >= config.connections_per_address_max {
            metrics::counter!("airlock_http_connections_refused_total", "why" => "address").increment(1);
            return None;
        }
        *count = count.saturating_add(1);
    }
    metrics::gauge!("airlock_http_connections").increment(1);
    Some(Held { server: server.clone(), address, _place: place })
}

impl Drop for Held {
    fn drop(&mut self) {
        metrics::gauge!("airlock_http_connections").decrement(1);
        let Some(ip) = self.address else { return };
        let mut of_address = self.server.of_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = of_address.get_mut(&ip) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                of_address.remove(&ip);
            }
        }
    }
}

/// One connection from its first byte to its end.
async fn one(server: Arc<Server>, stream: TcpStream, peer: SocketAddr, held: Held) {
    // Answers are small: waiting to fill a packet would only add latency. A failure shows itself at the next write.
    let _ = stream.set_nodelay(true);
    match &server.tls {
        None => speak(&server, stream, peer).await,
        Some(tls) => match timeout(tls.handshake_timeout(), tls.accept(stream)).await {
            Ok(Ok(stream)) => speak(&server, stream, peer).await,
            refused => {
                metrics::counter!("airlock_http_connections_refused_total", "why" => "handshake")
                    .increment(1);
                match refused {
                    Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
                    _ => tracing::debug!(%peer, "a TLS handshake took too long"),
                }
            }
        },
    }
    drop(held);
}

/// HTTP/1.1 over an open stream.
async fn speak<S>(server: &Server, stream: S, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = &server.app.config.server;
    let stream = Patient { stream, patience: config.write_timeout, waiting: None };
    let service = AddExtension::new(server.router.clone(), ConnectInfo(peer));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_header_size(config.header_limit_bytes)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(server.stopped.clone()) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}

/// A stream that gives up on a peer which takes nothing of what is written.
struct Patient<S> {
    stream: S,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    /// Passes progress on, and turns waiting that lasted too long into an error.
    fn watch<T>(&mut self, wrote: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.waiting = None;
            return wrote;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing of its answer")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(wrote, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.watch(wrote, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wrote = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(wrote, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wrote = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(wrote, cx)
    }
}
