#include "verifier/verifier.h"

namespace cloister {
namespace {

ByteVector content_of(const std::map<std::string, ByteVector>& files, const char* name) {
  const auto found = files.find(name);
  return found == files.end() ? ByteVector{} : found->second;
}

}  // namespace

Endorsements endorsements_of(const std::map<std::string, ByteVector>& files) {
  Endorsements endorsements;
  endorsements.tcb_info = content_of(files, "tcb_info.json");
  endorsements.qe_identity = content_of(files, "qe_identity.json");
  endorsements.tcb_signing_chain = content_of(files, "tcb_signing_chain.pem");
  endorsements.root_crl = content_of(files, "root_ca.crl.der");
  endorsements.pck_crl = content_of(files, "pck_ca.crl.der");
  endorsements.pck_chain = content_of(files, "pck_chain.pem");
  endorsements.vek = content_of(files, "vek.der");
  endorsements.vek_chain = content_of(files, "vek_chain.pem");
  endorsements.amd_crl = content_of(files, "amd.crl.der");
  return endorsements;
}

}  // namespace cloister
