//! The last bytes to a client that is refused.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink};
use tokio::time::timeout;

/// How long a client that is refused has to read why, and to go.
const PATIENCE: Duration = Duration::from_secs(1);
/// What is read of it meanwhile, in bytes.
const READ_MAX: u64 = 16 * 1024;

/// Writes the last bytes of a connection, and ends it so that they arrive.
pub async fn part(mut connection: impl AsyncRead + AsyncWrite + Unpin, last: &[u8]) {
    let parting = async {
        connection.write_all(last).await?;
        connection.shutdown().await?;
        // What is left unread would reset the connection, and take the answer with it.
        copy(&mut connection.take(READ_MAX), &mut sink()).await
    };
    // An error means that it is gone, or does not go: it is dropped.
    let _ = timeout(PATIENCE, parting).await;
}
