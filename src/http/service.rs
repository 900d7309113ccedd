//! HTTP/1.1 over connections that come in, from the first byte to the routes.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::HttpMessage;
use actix_http::body::BoxBody;
use actix_http::error::DispatchError;
use actix_http::h1::Codec;
use actix_http::{HttpService, KeepAlive, Request};
use actix_server::{GracefulShutdownSignal, ServerBuilder};
use actix_service::{
    Service as _, ServiceFactory, ServiceFactoryExt, apply_fn_factory, fn_service, map_config,
};
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::web::Data;
use actix_web::{App, Error};

use super::connection::Connection;
use super::entrance::Entrance;
use super::turnstile::Turnstile;
use super::{Api, Counters, Door, Files, Health, api, files, handover, routes};
use crate::actors::link::Link;

/// How long a closed connection may stay for the client to read the last frame and close in turn.
const LINGER: Duration = Duration::from_secs(1);

/// A connection, and its client's address.
type Incoming = (Connection, Option<SocketAddr>);

/// What serves HTTP.
#[derive(Clone)]
pub struct Service {
    /// Where connections come in.
    pub entrance: Entrance,
    /// How long the head of a request may take.
    pub patience: Duration,
    /// What the upgrade needs.
    pub door: Data<Door>,
    /// What the health check needs.
    pub health: Data<Health>,
    /// What the metrics need.
    pub counters: Data<Counters>,
    /// What the provisioning API needs, where there is one.
    pub api: Option<Api>,
    /// What files need, where there are any.
    pub files: Option<Files>,
}

impl Service {
    /// Has a server serve this on a socket that listens.
    ///
    /// actix-web's own `HttpServer` does the same, but its TLS cannot be used here: it holds up all
    /// handshakes of a worker while 256 stand still, and it says that bytes have gone which are still in
    /// memory.
    ///
    /// # Errors
    /// Where the socket cannot be used.
    pub fn listen(
        self,
        server: ServerBuilder,
        listener: std::net::TcpListener,
    ) -> io::Result<ServerBuilder> {
        let stopping = server.graceful_shutdown_signal();
        server.listen("yanshu", listener, move || {
            let entrance = Arc::new(self.entrance.clone());
            let turnstile = Rc::<Turnstile>::default();
            let enter = fn_service(move |stream| {
                let entered = Arc::clone(&entrance).enter(stream, Rc::clone(&turnstile));
                async move { entered.await.map_err(DispatchError::Io) }
            });
            enter.and_then(self.http(stopping.clone()))
        })
    }

    fn http(
        &self,
        stopping: GracefulShutdownSignal,
    ) -> impl ServiceFactory<
        Incoming,
        Config = (),
        Response = (),
        Error = DispatchError,
        InitError = (),
    > + use<> {
        // One for each: a request that asks to become something else brings its connection along.
        let config = |()| AppConfig::default();
        let upgrades = apply_fn_factory(
            map_config(self.app(), config),
            |(request, connection): (Request, Framed<Connection, Codec>), app| {
                request.extensions_mut().insert(handover::Upgrading);
                let answered = app.call(request);
                async move { handover::answer(answered.await?, connection).await }
            },
        );
        HttpService::build()
            // A connection is there for one request, or becomes a WebSocket: so none is held for nothing.
            .keep_alive(KeepAlive::Disabled)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(Arc::clone(connection.link()));
            })
            .client_request_timeout(self.patience)
            .client_disconnect_timeout(LINGER)
            .upgrade(upgrades)
            .h1(map_config(self.app(), config))
    }

    fn app(
        &self,
    ) -> App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = Error,
            InitError = (),
        > + use<>,
    > {
        App::new()
            .wrap_fn(|request, service| {
                if let Some(link) = request.conn_data::<Arc<Link>>() {
                    link.requested();
                }
                service.call(request)
            })
            .app_data(self.door.clone())
            .app_data(self.health.clone())
            .app_data(self.counters.clone())
            .configure(routes)
            .configure(|config| {
                files::routes(config, self.files.clone(), self.door.clone());
            })
            .configure(|config| {
                if let Some(api) = self.api.clone() {
                    api::routes(config, api);
                }
            })
    }
}
