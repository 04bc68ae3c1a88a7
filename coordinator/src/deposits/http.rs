//! placeholder until the rim exists
