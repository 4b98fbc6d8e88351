#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>

#include "verifier/cloister_verify.h"
#include "verifier/verifier.h"

namespace cloister {
namespace {

ByteVector copy_of_c(cloister_bytes bytes) {
  if (bytes.data == nullptr) return {};
  return copy_of(std::as_bytes(std::span(bytes.data, bytes.size)));
}

std::optional<ByteVector> optional_of(cloister_bytes bytes) {
  if (bytes.data == nullptr) return std::nullopt;
  return copy_of_c(bytes);
}

std::map<std::string, ByteVector> files_of(const cloister_file* files, std::size_t count) {
  std::map<std::string, ByteVector> out;
  for (std::size_t i = 0; i < count; ++i) out[files[i].name] = copy_of_c(files[i].content);
  return out;
}

using Judge = std::function<Verdict(const Endorsements&, const Policy&, UtcSeconds)>;

/// Calls `judge` with the case read, and hands its verdict out in memory of malloc's. Nothing that
/// the libraries throw reaches a caller in C.
int judge_for_c(const cloister_case* the_case, char** out, const Judge& judge) noexcept {
  if (the_case == nullptr || out == nullptr) return CLOISTER_MISUSED;
  *out = nullptr;
  try {
    Policy policy;
    if (the_case->policy_json != nullptr) {
      Result<Policy> read = read_policy(the_case->policy_json);
      if (!read.ok()) return CLOISTER_MISUSED;
      policy = std::move(read).value();
    }
    const Endorsements endorsements =
        endorsements_of(files_of(the_case->endorsements, the_case->endorsement_count));
    const UtcSeconds now{std::chrono::seconds(the_case->now)};
    const Verdict verdict = judge(endorsements, policy, now);
    const std::string json = verdict_json(verdict);
    *out = static_cast<char*>(std::malloc(json.size() + 1));
    if (*out == nullptr) return CLOISTER_MISUSED;
    std::memcpy(*out, json.c_str(), json.size() + 1);
    return verdict.accepted() ? CLOISTER_ACCEPTED : CLOISTER_REFUSED;
  } catch (const std::exception&) {
    return CLOISTER_MISUSED;
  }
}

}  // namespace
}  // namespace cloister

using cloister::Endorsements;
using cloister::Policy;
using cloister::UtcSeconds;

extern "C" int cloister_verify_certificate(cloister_bytes certificate,
                                           const cloister_case* the_case, char** verdict) {
  return cloister::judge_for_c(
      the_case, verdict, [&](const Endorsements& given, const Policy& policy, UtcSeconds now) {
        return cloister::verify_certificate(cloister::copy_of_c(certificate), given, policy, now);
      });
}

extern "C" int cloister_verify_answer(cloister_bytes body, const cloister_channel* channel,
                                      const cloister_case* the_case, char** verdict) {
  return cloister::judge_for_c(
      the_case, verdict, [&](const Endorsements& given, const Policy& policy, UtcSeconds now) {
        cloister::Channel known;
        if (channel != nullptr) {
          known = {cloister::optional_of(channel->spki), cloister::optional_of(channel->nonce),
                   cloister::optional_of(channel->tls_exporter)};
        }
        const cloister::ByteVector text = cloister::copy_of_c(body);
        return cloister::verify_answer(cloister::text_of(text), known, given, policy, now);
      });
}

extern "C" int cloister_verify_recorded(const cloister_file* files, unsigned long file_count,
                                        const char* name, cloister_bytes nonce,
                                        const cloister_case* the_case, char** verdict) {
  return cloister::judge_for_c(
      the_case, verdict, [&](const Endorsements& given, const Policy& policy, UtcSeconds now) {
        return cloister::judge_recorded_evidence(
            {cloister::files_of(files, file_count), name == nullptr ? "" : name,
             cloister::optional_of(nonce)},
            given, policy, now);
      });
}

extern "C" void cloister_verify_free(char* verdict) { std::free(verdict); }
