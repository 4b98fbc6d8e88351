#include "evidence/certificate_keeper.h"

#include <utility>

namespace cloister {

Result<ByteVector> CertificateKeeper::renew() {
  CLOISTER_ASSIGN(AttestedCertificate made, attester_.certificate(names_));
  not_after_ = made.not_after;
  made_at_ = clock_.steady();
  return std::move(made.certificate);
}

bool CertificateKeeper::is_due() const noexcept {
  return clock_.utc() + kRenewBefore >= not_after_ ||
         clock_.steady() - made_at_ >= kCertificateLifeMax - kRenewBefore;
}

}  // namespace cloister
