#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace cloister {

inline constexpr std::size_t kTdReportBytes = 1024;

/// Turns a TDREPORT (kTdReportBytes) into a quote. Fails: `io`, `corrupt`, `too_large`.
using QuoteService = std::function<Result<ByteVector>(Bytes td_report)>;

/// One request over one connection: sends it and returns what comes back until `is_whole` says so
/// or the other end closes, at most kEvidenceBytesMax. Waits for ten seconds at most.
/// Fails: `io`, `too_large`.
using Exchange =
    std::function<Result<ByteVector>(Bytes request, const std::function<bool(Bytes)>& is_whole)>;

/// The quote generation service of the host, over a virtual socket (port 4050 by custom).
Exchange vsock_exchange(std::uint32_t port);
/// An IPv4 address in numbers.
Exchange tcp_exchange(const std::string& address, std::uint16_t port);

/// Source: Intel TDX DCAP, "QGS message format", version 1.0: length (32 bits, big-endian), then a
/// header and the report in little-endian.
QuoteService quote_generation_service(Exchange exchange);

/// Azure's, whose virtual machines reach it at 169.254.169.254, port 80.
/// Source: Azure confidential VM guest attestation, "TD quote": POST /acc/tdquote.
QuoteService azure_quote_service(Exchange exchange);

}  // namespace cloister
