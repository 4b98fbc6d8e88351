#pragma once

#include <optional>
#include <string>
#include <vector>

#include "verifier/intel/collateral.h"
#include "verifier/intel/pck.h"
#include "verifier/intel/quote.h"

namespace cloister {

/// What TCB info and QE identity say of one quote's platform.
struct TcbJudgement {
  TcbStatus status = TcbStatus::not_supported;
  std::string date;                     ///< of the matched level
  TcbStatus qe_status = TcbStatus::not_supported;
  std::string module_id;                ///< "TDX_01"; empty where the module has none
  TcbStatus module_status = TcbStatus::not_judged;
  std::vector<std::string> advisories;  ///< sorted; empty when not supported
};

/// Whether a masked value matches: `seen & mask == expected & mask`, lengths equal.
bool matches_masked(Bytes seen, Bytes expected, Bytes mask) noexcept;

/// The module identity of the TD's major version; null when it is 0 or the TCB info has none.
const EnclaveIdentity* module_identity(const TcbInfo& info, Bytes tee_tcb_svn);

/// The status of quote, platform and QE together. `qe` must match the QE report already.
/// Source: Intel SGX/TDX DCAP Quote Verification Library, "TCB evaluation"; PCS API version 4,
/// "Determining TCB level".
TcbJudgement judge_tcb(const TcbInfo& info, const EnclaveIdentity& qe, const PckExtension& pck,
                       const Quote& quote);

/// A component's status folded into the platform's: out of date and revoked spread.
TcbStatus merge_status(TcbStatus platform, TcbStatus component) noexcept;

/// For TD 1.5: `launch` as the TD started, `current` with the module that runs now. An outdated
/// launch under a module that is fine by now asks for a relaunch; a revoked or unknown current
/// module is never better than that.
TcbStatus relaunch_status(TcbStatus launch, TcbStatus current) noexcept;

}  // namespace cloister
