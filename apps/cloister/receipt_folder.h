#pragma once

#include "base/bytes.h"
#include "options.h"
#include "server_access.h"

namespace cloister {

/// Checks the receipt in `response` against what was sent and received, and keeps it with the
/// server's certificate and the endorsements in the folder that the options name.
/// Fails: `unverified` where it does not hold; `io`.
Status keep_receipt(const Options& options, const ServerAccess& access, Bytes request,
                    const ClientResponse& response, const ByteVector& nonce, Entropy& entropy);

/// The command `verify-receipt`: judges what `keep_receipt` kept, without any connection.
Outcome verify_kept_receipt(const Options& options);

}  // namespace cloister
