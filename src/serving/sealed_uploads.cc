#include "serving/sealed_uploads.h"

#include <algorithm>
#include <string>
#include <utility>

#include "encoding/base64.h"
#include "sealed/sealed_model.h"

namespace cloister {
namespace {

constexpr std::string_view kMagic = "CLSTSEAL";

Error denied(Place where, const char* why) {
  return Error{Code::denied, where, Detail(std::string("the sealed model ") + why)};
}

/// The policy that the owner sealed the model with, against what this server is.
Status check_policy(const SealedPolicy& policy, const ServerFacts& facts) {
  if (policy.configuration && *policy.configuration != facts.configuration) {
    return denied("sealed.configuration", "is for a server with another configuration");
  }
  if (policy.software && *policy.software != facts.software) {
    return denied("sealed.software", "is for a server with other software");
  }
  if (policy.isolation && *policy.isolation != facts.isolation) {
    return denied("sealed.isolation", "is for a server with another isolation");
  }
  if (policy.anchor && *policy.anchor != facts.anchor) {
    return denied("sealed.anchor", "is for a server with another rollback anchor");
  }
  return Done{};
}

}  // namespace

std::vector<std::string> SealedUploads::public_keys() const {
  std::vector<std::string> shown;
  for (const SealedKeys::Key& each : keys_.keys()) {
    shown.push_back(base64_encode(each->public_key()));
  }
  return shown;
}

Sha256Digest SealedUploads::key_digest() const {
  return sha256(spki_of(keys_.keys().front()->public_key()));
}

bool SealedUploads::is_sealed(Bytes body) noexcept {
  return body.size() >= kMagic.size() && text_of(body.first(kMagic.size())) == kMagic;
}

Status SealedUploads::open_upload(const Caller& caller, const VersionRef& ref,
                                  ReceivedModel& model) const {
  const MutableBytes body = model.memory.bytes().first(model.size);
  if (model.claimed_sha256 && *model.claimed_sha256 != sha256(body)) {
    return Error{Code::invalid, "sealed.digest",
                 Detail("the received bytes do not have the SHA-256 that Content-Digest says; "
                        "nothing was stored")};
  }
  const auto sealed = SealedModel::read(body);
  if (!sealed.ok()) {
    return Error{Code::refused, "sealed.preface", Detail("the sealed model's preface is damaged")};
  }
  const SealedHeader& header = sealed.value().header();
  if (header.owner != caller.id() || header.owner != ref.model.owner) {
    return denied("sealed.owner", "names another owner");
  }
  if (header.name != ref.model.name || header.version != ref.version) {
    return denied("sealed.ref", "names another model or version");
  }
  if (clock_.utc() >= header.expires) return denied("sealed.expired", "has expired");
  CLOISTER_TRY(check_policy(header.policy, facts_));
  const auto keys = keys_.keys();
  const auto key = std::ranges::find_if(
      keys, [&](const SealedKeys::Key& each) { return sealed.value().is_for(body, *each); });
  if (key == keys.end() || !sealed.value().open(body, **key).ok()) {
    return Error{Code::refused, "sealed.open",
                 Detail("the sealed model does not open: it was sealed for another server, or "
                        "changed since")};
  }
  model.size = header.size;
  model.claimed_sha256 = header.sha256;
  return Done{};
}

}  // namespace cloister
