#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

struct ESYS_CONTEXT;

namespace cloister {

/// A connection to one TPM 2.0 with an authorisation session that is salted to a key of the TPM's,
/// so that what crosses the bus can neither be read nor replayed. It does not prove that the TPM
/// is a genuine one. Handles are ESYS_TR. Used by one thread at a time.
class TpmConnection {
 public:
  /// `device`: "/dev/tpmrm0", or "swtpm:path=FILE" and "swtpm:host=HOST,port=N" for a simulator.
  /// Fails: `io` when the TPM does not answer.
  static Result<TpmConnection> open(const std::string& device);
  TpmConnection(TpmConnection&& other) noexcept;
  TpmConnection& operator=(TpmConnection&&) = delete;
  ~TpmConnection();

  ESYS_CONTEXT* esys() const noexcept { return esys_; }
  /// The session that encrypts parameters both ways; authorises with a handle's own value.
  std::uint32_t session() const noexcept { return session_; }

 private:
  TpmConnection() = default;
  Status connect(const std::string& device);
  Status start_session();

  std::vector<std::max_align_t> transport_;  ///< the TCTI's context, of the size that it asks for
  ESYS_CONTEXT* esys_ = nullptr;
  std::uint32_t session_ = 0;
};

}  // namespace cloister
