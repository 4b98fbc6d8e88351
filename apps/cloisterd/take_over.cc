#include <cstdio>
#include <utility>

#include "access_tables.h"
#include "base/posix/posix_clock.h"
#include "base/posix/posix_entropy.h"
#include "client/session.h"
#include "evidence/attester.h"
#include "hand_over.h"
#include "identity.h"
#include "start_checks.h"
#include "store_choice.h"
#include "vault/hand_over.h"

namespace cloister {
namespace {

constexpr std::size_t kNonceBytes = 32;

/// Evidence of this build over the very connection that the key is to come on.
Result<std::string> evidence_over(const ClientSession& session, const StorePlace& place,
                                  const ServerConfig& config, const Software& software,
                                  Clock& clock, Entropy& entropy) {
  CLOISTER_ASSIGN(const TlsKey key, TlsKey::make());
  Attester attester(*place.platform, key.key(), clock,
                    server_facts(config, software.digest, "none"), canonical_text(config));
  FreshnessRequest request;
  request.nonce.resize(kNonceBytes);
  CLOISTER_TRY(entropy.fill(request.nonce));
  request.tls_exporter = copy_of(session.tls_exporter());
  request.purpose = kStoreKeyPurpose;
  return attester.answer(request);
}

Result<SecretBytes> ask(ClientSession& session, const std::string& evidence) {
  const ClientRequest request{"POST", kStoreKeyPath, {{"content-type", "application/json"}}};
  CLOISTER_ASSIGN(ClientResponse response, session.send(request, ClientBody{bytes_of(evidence)}));
  if (response.status != 200) {
    return Error{Code::denied, "upgrade.refused",
                 Detail("the old server hands nothing over: " + response.body)};
  }
  const MutableBytes answer = std::as_writable_bytes(std::span(response.body));
  SecretBytes handed_over(copy_of(answer));
  wipe(answer);
  return handed_over;
}

}  // namespace

Status take_over_store(const Options& options, const ServerConfig& config) {
  CLOISTER_TRY(check_machine(config));
  CLOISTER_ASSIGN(const Software software, check_software(config));
  CLOISTER_ASSIGN(UpgradeTrust trust, upgrade_trust(options, config));
  CLOISTER_ASSIGN(const ServerUrl url, parse_server_url(options.take_over));
  PosixClock clock;
  PosixEntropy entropy;
  CLOISTER_ASSIGN(const StorePlace place, find_store(options, config, software.digest, entropy));
  CLOISTER_ASSIGN(OpenedSession opened,
                  ClientSession::open(url, {std::move(trust.policy), std::move(trust.endorsements)},
                                      clock, entropy));
  if (opened.session == nullptr) return peer_refused(opened.verdict);
  CLOISTER_ASSIGN(const std::string evidence,
                  evidence_over(*opened.session, place, config, software, clock, entropy));
  CLOISTER_ASSIGN(const SecretBytes handed_over, ask(*opened.session, evidence));
  CLOISTER_TRY(import_store(vault_parts(place, entropy, clock), place.root_secret, place.settings,
                            handed_over));
  const auto& claims = opened.verdict.claims;
  CLOISTER_TRY(note_in_store(place, entropy, clock, AuditAction::store_taken_over,
                             claims ? claims->software : std::nullopt));
  std::printf("taken over: the store opens for this build from now on, and for no other\n");
  return Done{};
}

}  // namespace cloister
