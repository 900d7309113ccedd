//! `yanshu token`: a token for development.

use crate::auth;
use crate::settings::MintSettings;

/// Prints a token that a server with the same secret takes.
pub fn run(settings: &MintSettings) -> Result<(), String> {
    let MintSettings {
        user,
        ttl,
        name,
        jwt_secret,
        jwt_audience,
    } = settings;
    let (name, audience) = (name.as_deref(), jwt_audience.as_deref());
    let token = auth::mint(&jwt_secret.0, user, *ttl, name, audience);
    println!("{}", token.map_err(|error| error.to_string())?);
    Ok(())
}
