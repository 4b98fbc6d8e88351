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

/// Writes `content` as `file` into the folder of `options.receipt`, beside the server's certificate
/// and the endorsements. Fails: `io`.
Status keep_with_evidence(const Options& options, const ServerAccess& access, const char* file,
                          Bytes content, Entropy& entropy);

/// What the folder of `options.receipt` holds beside the thing that was signed.
struct KeptEvidence {
  ByteVector certificate;
  Verdict verdict;  ///< as of the time asked for
};
/// Fails: as reading does.
Result<KeptEvidence> read_kept_evidence(const Options& options, UtcSeconds at);

/// The command `verify-receipt`: judges what `keep_receipt` kept, without any connection. `now` is
/// for collateral of today.
Outcome verify_kept_receipt(const Options& options, UtcSeconds now);

}  // namespace cloister
