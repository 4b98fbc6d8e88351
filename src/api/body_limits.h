#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "http/message.h"
#include "model/model.h"

namespace cloister {

/// How an inference body is encoded.
enum class BodyFormat { json, npy, npz };

/// The format that `Content-Type` names; JSON where there is none, or a form's type that curl adds
/// by itself. Fails: `unsupported`.
Result<BodyFormat> infer_format(const HttpRequestHead& head);

/// The format to answer in: what `Accept` names, else the format of the request.
/// Fails: `unsupported` where `Accept` names none that is served.
Result<BodyFormat> answer_format(const HttpRequestHead& head, BodyFormat request);

/// Bytes that a body of this format for this model can have at most: from the signature where every
/// extent is known, but never more than `most`.
std::uint64_t infer_body_bound(const Signature& signature, BodyFormat format, std::uint64_t most);

/// Whether the headers of an upload make sense: media type, Content-Encoding, Content-Digest.
Status check_upload_headers(const HttpRequestHead& head);

/// The SHA-256 in `Content-Digest` (RFC 9530); nothing without the header or without a sha-256 in
/// it. Fails: `invalid` when malformed.
Result<std::optional<ModelDigest>> claimed_digest(const HttpRequestHead& head);

/// The value of `Inference-Header-Content-Length`. Fails: `invalid` for anything but digits.
Result<std::optional<std::uint64_t>> inference_header_length(const HttpRequestHead& head);

}  // namespace cloister
