//! Who is let in, and how many at once.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, ResponseError};

use super::Api;
use super::openapi;
use crate::http::address::client_address;
use crate::http::bearer::bearer;
use crate::http::problem::Problem;

/// Lets a request in that shows the token, while there is room. Only what the API looks like is told to
/// everybody.
pub async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(api) = request.app_data::<Data<Api>>().cloned() else {
        return Ok(refuse(request, &Problem::unavailable()));
    };
    if let Err(problem) = may_come_in(&api, &request) {
        api.metrics.api(problem.status_code().as_u16());
        return Ok(refuse(request, &problem));
    }
    let Ok(_place) = api.room.try_acquire() else {
        api.metrics.api(Problem::busy().status_code().as_u16());
        return Ok(refuse(request, &Problem::busy()));
    };
    let response = next.call(request).await;
    let status = match &response {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    api.metrics.api(status.as_u16());
    Ok(response?.map_into_boxed_body())
}

fn may_come_in(api: &Api, request: &ServiceRequest) -> Result<(), Problem> {
    // To the letter: a user may be called like the end of it.
    let is_description = request.path() == openapi::WHOLE_PATH;
    if is_description || is_admin(api, request) {
        return Ok(());
    }
    let address = client_address(request.request(), &api.proxies);
    if let Some((limits, address)) = api.limits.as_ref().zip(address)
        && !limits.handshake(address)
    {
        return Err(Problem::rate_limited());
    }
    log::warn!(
        "a request to the provisioning API without its token was refused, from {}",
        address.map_or_else(|| "somewhere".to_owned(), |address| address.to_string())
    );
    Err(Problem::unauthorized())
}

/// Whether `Authorization: Bearer` (RFC 6750 §2.1) shows the token.
fn is_admin(api: &Api, request: &ServiceRequest) -> bool {
    let token = bearer(request.headers());
    token.is_some_and(|token| api.key.opens(token))
}

fn refuse(request: ServiceRequest, problem: &Problem) -> ServiceResponse<BoxBody> {
    request.into_response(problem.error_response())
}
