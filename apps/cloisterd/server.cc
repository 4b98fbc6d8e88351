#include "server.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <utility>

#include "access_tables.h"
#include "api/api_handler.h"
#include "base/posix/posix_clock.h"
#include "base/posix/posix_entropy.h"
#include "base/posix/posix_files.h"
#include "base/posix/process.h"
#include "engine_choice.h"
#include "evidence/certificate_keeper.h"
#include "identity.h"
#include "metrics.h"
#include "observe/json_line_events.h"
#include "residency/residency.h"
#include "secret/secret_bytes.h"
#include "serving/attestation.h"
#include "serving/batcher.h"
#include "serving/models.h"
#include "serving/receipts.h"
#include "serving/sealed_imports.h"
#include "start_checks.h"
#include "store_choice.h"
#include "vault/vault.h"

namespace cloister {
namespace {

constexpr std::string_view kDevOwner = "owner";
constexpr std::chrono::hours kDevTokenLife{24 * 30};
constexpr std::chrono::milliseconds kDrain{20'000};
constexpr std::chrono::seconds kRenewalRetry{60};

ModelsSettings models_settings(const ServerConfig& config) {
  ModelsSettings settings;
  settings.stored_bytes_per_owner_max = config.stored_bytes_per_owner_max;
  settings.versions_per_owner_max = config.versions_per_owner_max;
  settings.trial.run = config.isolation == "process";
  return settings;
}

ApiSettings api_settings(const ServerConfig& config) {
  ApiSettings settings;
  settings.upload_bytes_max = config.upload_bytes_max;
  settings.request_bytes_max = config.request_bytes_max;
  settings.receiving_bytes_per_principal_max = config.receiving_bytes_per_principal_max;
  settings.requests_per_second_max = config.requests_per_second_per_principal_max;
  settings.request_time_max = std::chrono::seconds(config.request_seconds_max);
  settings.upload_time_max = std::chrono::seconds(config.upload_seconds_max);
  return settings;
}

/// With the keys that the vault keeps.
ServerFacts with_keys(ServerFacts facts, const Receipts& receipts, SealedUploads& sealed) {
  facts.receipt_key = receipts.key_digest();
  facts.hpke_key = sealed.key_digest();
  sealed.use_facts(facts);
  return facts;
}

ServerDescription describe_server(const ServerConfig& config, const ServerFacts& facts,
                                  EvidenceKind kind) {
  ServerDescription server;
  server.version = CLOISTER_VERSION;
  server.platform = name_of(kind);
  server.simulated = kind == EvidenceKind::simulated;
  server.isolation = config.isolation;
  server.sandbox = facts.sandbox;
  server.anchor = config.anchor;
  return server;
}

/// Past the C library's buffer, which would keep it.
Status print_token(const NewToken& token) {
  std::string text = token.show_once();
  std::printf("token: ");
  std::fflush(stdout);
  const bool whole = std::ranges::all_of(std::array<std::string_view, 2>{text, "\n"},
                                         [](std::string_view part) {
    return ::write(STDOUT_FILENO, part.data(), part.size()) == static_cast<ssize_t>(part.size());
  });
  wipe(text);
  if (whole) return Done{};
  return Error{Code::io, "start.token",
               Detail("the token could not be printed: start again with --new-token")};
}

Status make_first_owner(const Options& options, const ServerConfig& config,
                        Principals& principals) {
  if (options.mode == Options::Mode::config) {
    if (!config.owner) return Done{};
    const PrincipalId owner{config.owner->name};
    CLOISTER_TRY(principals.ensure(owner, Role::owner));
    return principals.trust_key(owner, config.owner->key_sha256);
  }
  const PrincipalId owner{std::string(kDevOwner)};
  const bool first = !principals.knows(owner);
  CLOISTER_TRY(principals.ensure(owner, Role::owner));
  if (!first && !options.new_token) {
    std::printf("token: as printed at the first start (--new-token makes another)\n");
    return Done{};
  }
  if (options.new_token) CLOISTER_TRY(principals.revoke_tokens(owner));
  CLOISTER_ASSIGN(const NewToken token, principals.mint(owner, kDevTokenLife));
  return print_token(token);
}

/// What of it is refused is in the log, and stops nothing.
Status import_models(const ServerConfig& config, const AccessTables& access, Models& models,
                     EventSink& events) {
  if (!config.import) return Done{};
  std::vector<ExpectedModel> expected;
  for (const ImportedModel& each : config.import->models) {
    expected.push_back({{{PrincipalId{each.owner}, each.model}, {each.version}}, each.sha256});
  }
  const auto folder = open_posix_files(config.import->folder, IfAbsent::fail);
  if (!folder.ok()) {
    return Error{folder.error().code, "start.import", Detail("\"import\": no such folder")};
  }
  return SealedImports({*folder.value(), *access.principals, *access.sealed, models,
                        access.books->audit(), events, config.upload_bytes_max},
                       std::move(expected))
      .run();
}

/// What the configuration has stored and loaded before the server answers.
Status start_models(const ServerConfig& config, const AccessTables& access, Models& models,
                    Residency& residency, const Clock& clock, EventSink& events) {
  CLOISTER_TRY(import_models(config, access, models, events));
  for (const Preload& each : config.preload) {
    const VersionRef ref{{PrincipalId{each.owner}, each.model}, {each.version}};
    if (each.pin) residency.keep(ref, Keep::pinned);
    const auto loaded = residency.acquire(ref, clock.steady() + std::chrono::seconds{300});
    if (!loaded.ok()) {
      return Error{loaded.error().code, "start.preload",
                   Detail("\"preload\": " + each.owner + "." + each.model + " version " +
                          std::to_string(each.version) + " cannot be loaded (" +
                          name_of(loaded.error().code) + ")")};
    }
  }
  return Done{};
}

void print_start(const ServerConfig& config, std::uint16_t port, const std::string& pin,
                 EvidenceKind kind) {
  const bool v6 = config.listen_address.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + config.listen_address + "]" : config.listen_address;
  std::printf("pin: %s\n", pin.c_str());
  if (kind == EvidenceKind::simulated) {
    std::printf("warning: simulated platform; nothing is protected from this machine's owner\n");
  }
  std::printf("url: https://%s:%u\n", host.c_str(), static_cast<unsigned>(port));
  std::fflush(stdout);
}

/// What every owner may know of this start: under which configuration, with which software, with
/// which keys.
Status note_start(Books& books, const ServerFacts& facts) {
  CLOISTER_TRY(books.note(AuditAction::server_started, facts.configuration));
  CLOISTER_TRY(books.note(AuditAction::software, facts.software));
  CLOISTER_TRY(books.note(AuditAction::receipt_key, facts.receipt_key));
  return books.note(AuditAction::model_key, facts.hpke_key);
}

Status renew(HttpsServer& server, const TlsKey& tls, CertificateKeeper& keeper, Books& books) {
  CLOISTER_ASSIGN(TlsIdentity identity, tls.identity(keeper));
  const Sha256Digest certificate = sha256(identity.certificate);
  CLOISTER_TRY(server.replace_identity(std::move(identity)));
  return books.note(AuditAction::certificate_renewed, certificate);
}

/// Shows a new key for sealed models where it is time; true where the evidence then names another.
bool rotate_sealed_keys(const AccessTables& access, Attester& attester, EventSink& events) {
  const auto rotated = access.sealed_keys->rotate();
  if (rotated.ok() && !rotated.value()) return false;
  const Sha256Digest shown = access.sealed->key_digest();
  const Status noted = rotated.ok() ? access.books->note(AuditAction::model_key, shown)
                                    : Status(rotated.error());
  if (!noted.ok()) events.record(OperationFailed{noted.error().code, "server.sealed_keys"});
  if (rotated.ok()) attester.use_hpke_key(shown);
  return rotated.ok();
}

/// Until a stop signal: renews the certificate, on the same key, before it runs out and where it
/// names a key that has been replaced.
void serve_until_stopped(HttpsServer& server, const TlsKey& tls, Attester& attester,
                         CertificateKeeper& keeper, const AccessTables& access, const Clock& clock,
                         EventSink& events) {
  bool outdated = false;
  SteadyTime renewal = clock.steady();
  while (!wait_for_stop_signal(Books::kFlushEvery)) {
    const Status flushed = access.books->flush();
    if (!flushed.ok()) events.record(OperationFailed{flushed.error().code, "server.books"});
    outdated = rotate_sealed_keys(access, attester, events) || outdated;
    if (!outdated && (clock.steady() < renewal || !keeper.is_due())) continue;
    renewal = clock.steady() + kRenewalRetry;
    const Status renewed = renew(server, tls, keeper, *access.books);
    if (!renewed.ok()) events.record(OperationFailed{renewed.error().code, "server.renewal"});
    outdated = outdated && !renewed.ok();
  }
}

/// A batch's run: as that of one request, leased for as long as its outputs are kept.
RunModel run_model_of(Models& models) {
  return [&models](const VersionRecord& record, const std::vector<NamedTensorView>& inputs,
                   const std::vector<std::string>& outputs,
                   RunControl& control) -> Result<BatchOutputs> {
    CLOISTER_ASSIGN(Inference inference, models.run(record, inputs, outputs, control));
    auto owner = std::make_shared<Inference>(std::move(inference));
    auto tensors = owner->outputs->tensors();
    return BatchOutputs{std::move(tensors), std::move(owner)};
  };
}

/// The threads that requests are done on.
struct Queues {
  // The last number: slots for principals who have nothing under way, however long others take.
  explicit Queues(const ServerConfig& config)
      : runs(config.run_threads, config.queue_length_max, config.run_threads),
        decoding(1, config.queue_length_max, 1, lower_thread_priority),
        loads(4, config.queue_length_max, 4), uploads(1, 16, 1),
        control(1, config.queue_length_max), evidence(1, 32, 0, lower_thread_priority) {}
  JobQueue runs;
  JobQueue decoding;
  JobQueue loads;
  JobQueue uploads;
  JobQueue control;
  JobQueue evidence;

  /// Order: docs/shutdown-order.md. Jobs that wait on queues answer before the handler goes.
  void stop() {
    for (JobQueue* each : {&loads, &uploads, &control, &evidence, &decoding, &runs}) each->stop();
  }
};

/// In the order of docs/shutdown-order.md.
void stop_all(HttpsServer& server, Batcher& batcher, Queues& queues, Books& books,
              const Clock& clock, EventSink& events) {
  const SteadyTime stopping = clock.steady();
  server.stop(kDrain);
  batcher.stop();
  queues.stop();
  for (const Status& kept : {books.note(AuditAction::server_stopped), books.close()}) {
    if (!kept.ok()) events.record(OperationFailed{kept.error().code, "server.books"});
  }
  events.record(ServerStopped{
      std::chrono::duration_cast<std::chrono::milliseconds>(clock.steady() - stopping)});
}

}  // namespace

Status run_server(const Options& options, const ServerConfig& config) {
  CLOISTER_TRY(check_machine(config));
  CLOISTER_ASSIGN(const Software software, check_software(config));
  PosixClock clock;
  PosixEntropy entropy;
  JsonLineEvents events(clock, stderr);
  CLOISTER_ASSIGN(const EngineChoice choice, choose_engine(config, software, clock));
  CLOISTER_ASSIGN(const StorePlace store, find_store(options, config, software.digest, entropy));
  CLOISTER_ASSIGN(const auto vault, open_vault(vault_parts(store, entropy, clock),
                                               store.root_secret, store.settings, store.first));
  CLOISTER_ASSIGN(const AccessTables access, open_access_tables(*vault, entropy, clock, config));
  const ServerFacts plain = server_facts(config, software.digest, choice.sandbox);
  CLOISTER_ASSIGN(const auto receipts, Receipts::make(*vault, clock, plain.configuration));
  const ServerFacts facts = with_keys(plain, *receipts, *access.sealed);
  CLOISTER_ASSIGN(const TlsKey tls, TlsKey::make([&](const ByteVector& certificate) {
    receipts->use_certificate(certificate);
  }));
  Attester attester(*store.platform, tls.key(), clock, facts, canonical_text(config));
  CertificateKeeper keeper(attester, clock, config.names);
  const Attestation attestation(attester, *vault);
  const GraphAdmission admission(AdmissionBudget{.model_bytes_max = config.upload_bytes_max});
  Residency residency(*choice.engine, *vault, clock, {.budget_bytes = models_bytes(config)});
  CLOISTER_ASSIGN(const auto options_book, OptionsBook::open(*vault));
  Statistics statistics;
  Models models({*vault, residency, *choice.engine, admission, clock, events, *options_book,
                 statistics, *access.grants, access.books->quotas()},
                models_settings(config));
  CLOISTER_TRY(make_first_owner(options, config, *access.principals));
  CLOISTER_TRY(start_models(config, access, models, residency, clock, events));
  CLOISTER_TRY(note_start(*access.books, facts));
  RequestCounters counters;
  Queues queues(config);
  Batcher batcher({run_model_of(models), statistics, clock, queues.runs});
  ApiHandler handler({models,
                      *access.principals, *access.grants,
                      access.books->quotas(), *access.certificates,
                      access.books->usage(), access.books->audit(),
                      *receipts,
                      *access.sealed,
                      attestation,
                      clock,
                      statistics,
                      batcher,
                      counters,
                      config.log_requests ? &events : nullptr,
                      {queues.runs, queues.decoding, queues.loads, queues.uploads,
                       queues.control, queues.evidence}},
                     describe_server(config, facts, store.platform->kind()),
                     api_settings(config));
  CLOISTER_ASSIGN(const auto server, listen(config, tls, keeper, handler));
  CLOISTER_ASSIGN(const auto metrics,
                  start_metrics(config, {counters, statistics, *options_book, residency,
                    *choice.engine, queues.runs, queues.loads, queues.uploads}));
  print_start(config, server->port(), tls.pin(), store.platform->kind());
  events.record(ServerStarted{server->port(), models.stored_versions()});
  serve_until_stopped(*server, tls, attester, keeper, access, clock, events);
  stop_all(*server, batcher, queues, *access.books, clock, events);
  return Done{};
}

}  // namespace cloister
