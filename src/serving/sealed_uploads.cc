#include "serving/sealed_uploads.h"

#include <string>
#include <utility>

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

Result<std::unique_ptr<SealedUploads>> SealedUploads::open(RecordStore& store,
                                                           const Clock& clock) {
  if (const SecretBytes kept(store.load()); !kept.empty()) {
    auto key = KemPrivateKey::from_bytes(kept);
    if (!key.ok()) return Error{Code::corrupt, "sealed.key"};
    return std::unique_ptr<SealedUploads>(new SealedUploads(std::move(key).value(), clock));
  }
  CLOISTER_ASSIGN(KemPrivateKey key, KemPrivateKey::generate());
  CLOISTER_TRY(key.keep_in([&store](Bytes bytes) { return store.save(bytes); }));
  return std::unique_ptr<SealedUploads>(new SealedUploads(std::move(key), clock));
}

Sha256Digest SealedUploads::key_digest() const { return sha256(spki_of(key_.public_key())); }

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
  const Status opened = sealed.value().open(body, key_);
  if (!opened.ok()) {
    return Error{Code::refused, "sealed.open",
                 Detail("the sealed model does not open: it was sealed for another server, or "
                        "changed since")};
  }
  model.size = header.size;
  model.claimed_sha256 = header.sha256;
  return Done{};
}

}  // namespace cloister
