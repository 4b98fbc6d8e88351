#include "serving/attestation.h"

#include "encoding/base64.h"

namespace cloister {

Result<std::string> Attestation::answer(std::string_view nonce,
                                        const std::array<std::byte, 32>& tls_exporter) const {
  auto decoded = base64url_decode(nonce);
  if (!decoded.ok() || decoded.value().size() < kNonceBytesMin ||
      decoded.value().size() > kNonceBytesMax) {
    return Error{Code::invalid, "attestation.nonce",
                 Detail("nonce: expected base64url without padding of 16 to 64 random bytes")};
  }
  FreshnessRequest request;
  request.nonce = std::move(decoded).value();
  request.tls_exporter = copy_of(tls_exporter);
  request.epoch = vault_.epoch();
  return attester_.answer(request);
}

}  // namespace cloister
