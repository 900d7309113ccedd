//! What users and contacts are called.

/// Longest display name, in characters.
pub const NAME_MAX: usize = 256;

/// Why a text is no display name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is longer than [`NAME_MAX`].
    #[error("over {NAME_MAX} characters")]
    TooLong,
    /// It would disturb whatever shows it.
    #[error("holds a control character")]
    Control,
}

/// A display name without the blanks around it; `None` where nothing else is there.
///
/// # Errors
/// Where it is too long, or holds what cannot be shown.
pub fn display_name(text: &str) -> Result<Option<&str>, NameError> {
    if text.chars().count() > NAME_MAX {
        return Err(NameError::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(NameError::Control);
    }
    let text = text.trim();
    Ok((!text.is_empty()).then_some(text))
}
