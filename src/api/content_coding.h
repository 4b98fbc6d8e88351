#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "http/message.h"
#include "secret/private_memory.h"
#include "tensor/deflate.h"

namespace cloister {

/// How the body of an inference request is coded: nothing where it is as it is.
/// Fails: `unsupported` for codings other than gzip and deflate, or several.
Result<std::optional<DeflateForm>> request_coding(const HttpRequestHead& head);

/// The coding that the sender wants the answer in. Only where `Accept-Encoding` names one alone, as
/// Triton's clients do: a sender that takes several leaves the choice to the server, which sends
/// tensors as they are, since a coded length tells whoever watches more of what is in them.
std::optional<DeflateForm> wanted_coding(const HttpRequestHead& head);

/// Bytes that a coded body of `coded` bytes can hold, but never more than `most`.
std::uint64_t decoded_bound(std::uint64_t coded, std::uint64_t most);

/// A body without its coding.
struct DecodedBody {
  PrivateMemory memory;
  std::uint64_t size = 0;
};
/// Fails: `invalid`; `too_large` past `bytes_max`, which is never exceeded in memory either.
Result<DecodedBody> decode_content(Bytes coded, DeflateForm form, std::uint64_t bytes_max);

/// Codes `response`'s body, where that makes it shorter; what it was made from is let go.
Status encode_content(HttpResponse& response, DeflateForm form);

}  // namespace cloister
