#include "verifier/intel/tcb.h"

#include <algorithm>
#include <set>

namespace cloister {
namespace {

using Components = std::array<std::uint8_t, 16>;

/// Whether each component from `first` on is at least the level's.
bool reaches(const Components& seen, const Components& level, std::size_t first) noexcept {
  for (std::size_t i = first; i < level.size(); ++i) {
    if (seen[i] < level[i]) return false;
  }
  return true;
}

const EnclaveLevel* level_of(const std::vector<EnclaveLevel>& levels, std::uint64_t isvsvn) {
  const auto found = std::ranges::find_if(
      levels, [isvsvn](const EnclaveLevel& level) { return level.isvsvn <= isvsvn; });
  return found == levels.end() ? nullptr : &*found;
}

Components components_of(Bytes svn) noexcept {
  Components out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = std::to_integer<std::uint8_t>(svn[i]);
  return out;
}

bool is_configuration(TcbStatus status) noexcept {
  return status == TcbStatus::configuration_needed ||
         status == TcbStatus::configuration_and_sw_hardening_needed;
}

/// The first level that the platform reaches. With a module version of its own, the module's
/// identity speaks for the first two TDX components.
const TcbLevel* platform_level(const TcbInfo& info, const PckExtension& pck,
                               const std::optional<Components>& tdx) {
  const std::size_t first = tdx && (*tdx)[1] > 0 ? 2 : 0;
  for (const TcbLevel& level : info.levels) {
    if (reaches(pck.components, level.sgx, 0) && pck.pcesvn >= level.pcesvn &&
        (!tdx || reaches(*tdx, level.tdx, first))) {
      return &level;
    }
  }
  return nullptr;
}

/// One evaluation, with the module's components of launch or of now.
TcbJudgement evaluate(const TcbInfo& info, const EnclaveLevel& qe, const PckExtension& pck,
                      const std::optional<Bytes>& tee_tcb_svn) {
  std::optional<Components> tdx;
  if (tee_tcb_svn) tdx = components_of(*tee_tcb_svn);
  TcbJudgement judgement;
  judgement.qe_status = qe.status;
  std::set<std::string> advisories(qe.advisories.begin(), qe.advisories.end());
  const EnclaveLevel* module_level = nullptr;
  const bool has_module = tdx && (*tdx)[1] > 0;
  if (has_module) {
    const EnclaveIdentity* identity = module_identity(info, *tee_tcb_svn);
    module_level = identity == nullptr ? nullptr : level_of(identity->levels, (*tdx)[0]);
    if (module_level == nullptr) return judgement;
    judgement.module_id = identity->id;
    judgement.module_status = module_level->status;
    advisories.insert(module_level->advisories.begin(), module_level->advisories.end());
  }
  const TcbLevel* level = platform_level(info, pck, tdx);
  if (level == nullptr) return judgement;
  advisories.insert(level->advisories.begin(), level->advisories.end());
  judgement.date = level->date;
  judgement.status = level->status;
  if (has_module) judgement.status = merge_status(judgement.status, module_level->status);
  judgement.status = merge_status(judgement.status, qe.status);
  judgement.advisories.assign(advisories.begin(), advisories.end());
  return judgement;
}

}  // namespace

bool matches_masked(Bytes seen, Bytes expected, Bytes mask) noexcept {
  if (seen.size() != expected.size() || seen.size() != mask.size()) return false;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if ((seen[i] & mask[i]) != (expected[i] & mask[i])) return false;
  }
  return true;
}

const EnclaveIdentity* module_identity(const TcbInfo& info, Bytes tee_tcb_svn) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto version = std::to_integer<unsigned>(tee_tcb_svn[1]);
  if (version == 0) return nullptr;
  const std::string id = std::string("TDX_") + kDigits[version >> 4] + kDigits[version & 15];
  const auto found = std::ranges::find(info.module_identities, id, &EnclaveIdentity::id);
  return found == info.module_identities.end() ? nullptr : &*found;
}

TcbStatus merge_status(TcbStatus platform, TcbStatus component) noexcept {
  if (platform == TcbStatus::revoked || component == TcbStatus::revoked) {
    return TcbStatus::revoked;
  }
  if (component != TcbStatus::out_of_date) return platform;
  if (platform == TcbStatus::up_to_date || platform == TcbStatus::sw_hardening_needed) {
    return TcbStatus::out_of_date;
  }
  return is_configuration(platform) ? TcbStatus::out_of_date_configuration_needed : platform;
}

TcbStatus relaunch_status(TcbStatus launch, TcbStatus current) noexcept {
  if (launch == TcbStatus::not_supported || current == TcbStatus::not_supported) {
    return TcbStatus::not_supported;
  }
  if (current == TcbStatus::revoked) return TcbStatus::revoked;
  const bool outdated = launch == TcbStatus::out_of_date ||
                        launch == TcbStatus::out_of_date_configuration_needed;
  const bool fine = current == TcbStatus::up_to_date ||
                    current == TcbStatus::sw_hardening_needed || is_configuration(current);
  if (!outdated || !fine) return launch;
  const bool configure =
      launch == TcbStatus::out_of_date_configuration_needed || is_configuration(current);
  return configure ? TcbStatus::td_relaunch_advised_configuration_needed
                   : TcbStatus::td_relaunch_advised;
}

TcbJudgement judge_tcb(const TcbInfo& info, const EnclaveIdentity& qe, const PckExtension& pck,
                       const Quote& quote) {
  const EnclaveLevel* qe_level = level_of(qe.levels, quote.qe_report.isvsvn);
  if (qe_level == nullptr) return {};
  if (!quote.td) return evaluate(info, *qe_level, pck, std::nullopt);
  TcbJudgement judgement = evaluate(info, *qe_level, pck, quote.td->tee_tcb_svn);
  if (quote.td->tee_tcb_svn_2) {
    const TcbJudgement current = evaluate(info, *qe_level, pck, *quote.td->tee_tcb_svn_2);
    judgement.status = relaunch_status(judgement.status, current.status);
    if (judgement.status == TcbStatus::not_supported) judgement.advisories.clear();
  }
  return judgement;
}

}  // namespace cloister
