//! The glue between the SDK's contexts and the logic. It decides nothing and names no host call.

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};

use crate::exchange::{ExchangeFlow, Flow};
use crate::host::envoy::Envoy;
use crate::host::{CallToken, Host, LogLevel};
use crate::worker::Worker;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root { worker: None }));
}}

struct Root {
    worker: Option<Worker>,
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, _headers: usize, _body_size: usize, _trailers: usize) {
        if let Some(worker) = &mut self.worker {
            worker.call_answered(&Envoy, CallToken(token));
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let configuration = Envoy.configuration();
        if self.worker.as_ref().is_some_and(|worker| worker.is_configured_by(&configuration)) {
            return true;
        }
        match Worker::configure(&Envoy, &configuration) {
            Ok(worker) => {
                self.worker = Some(worker);
                true
            }
            Err(error) => {
                Envoy.log(LogLevel::Error, &format!("configuration refused: {error}"));
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(worker) = &mut self.worker {
            worker.tick(&Envoy);
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { flow: self.worker.as_ref().map(Worker::exchange) }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Stream {
    /// `None` when there is no configuration, which the proxy would have refused.
    flow: Option<ExchangeFlow>,
}

impl Stream {
    fn with(&mut self, step: impl FnOnce(&mut ExchangeFlow) -> Flow) -> Action {
        match self.flow.as_mut().map(step) {
            Some(Flow::Pause) => Action::Pause,
            Some(Flow::Continue) | None => Action::Continue,
        }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.with(|flow| flow.request_headers(&Envoy, end_of_stream))
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.with(|flow| flow.request_body(&Envoy, size, end_of_stream))
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.with(|flow| flow.request_trailers(&Envoy))
    }

    fn on_http_response_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.with(|flow| {
            flow.response_headers(&Envoy, end_of_stream);
            Flow::Continue
        })
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.with(|flow| {
            flow.response_body(&Envoy, size, end_of_stream);
            Flow::Continue
        })
    }

    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.with(|flow| {
            flow.response_trailers(&Envoy);
            Flow::Continue
        })
    }

    fn on_log(&mut self) {
        if let Some(flow) = &mut self.flow {
            flow.finish(&Envoy);
        }
    }
}
