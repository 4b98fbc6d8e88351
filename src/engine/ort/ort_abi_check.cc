// Built only where the official header is at hand (ONNXRUNTIME_ROOT/include): the places of the
// entries in our own declaration against the header's.
#include <onnxruntime_c_api.h>

#include <cstddef>

#include "engine/ort/ort_abi.h"

namespace cloister {
namespace {

#define CLOISTER_SAME_PLACE(ours, theirs)                                              \
  static_assert(offsetof(OrtFunctions, ours) == offsetof(OrtApi, theirs), "place of " #theirs)

CLOISTER_SAME_PLACE(error_code, GetErrorCode);
CLOISTER_SAME_PLACE(error_message, GetErrorMessage);
CLOISTER_SAME_PLACE(create_env_with_sink, CreateEnvWithCustomLogger);
CLOISTER_SAME_PLACE(create_session, CreateSession);
CLOISTER_SAME_PLACE(create_session_from_array, CreateSessionFromArray);
CLOISTER_SAME_PLACE(run, Run);
CLOISTER_SAME_PLACE(create_session_options, CreateSessionOptions);
CLOISTER_SAME_PLACE(set_optimised_model_path, SetOptimizedModelFilePath);
CLOISTER_SAME_PLACE(set_execution_mode, SetSessionExecutionMode);
CLOISTER_SAME_PLACE(disable_memory_pattern, DisableMemPattern);
CLOISTER_SAME_PLACE(disable_arena, DisableCpuMemArena);
CLOISTER_SAME_PLACE(set_session_log_severity, SetSessionLogSeverityLevel);
CLOISTER_SAME_PLACE(set_optimisation_level, SetSessionGraphOptimizationLevel);
CLOISTER_SAME_PLACE(set_intra_op_threads, SetIntraOpNumThreads);
CLOISTER_SAME_PLACE(set_inter_op_threads, SetInterOpNumThreads);
CLOISTER_SAME_PLACE(create_run_options, CreateRunOptions);
CLOISTER_SAME_PLACE(terminate_run, RunOptionsSetTerminate);
CLOISTER_SAME_PLACE(create_tensor, CreateTensorAsOrtValue);
CLOISTER_SAME_PLACE(create_tensor_over, CreateTensorWithDataAsOrtValue);
CLOISTER_SAME_PLACE(is_tensor, IsTensor);
CLOISTER_SAME_PLACE(tensor_memory, GetTensorMutableData);
CLOISTER_SAME_PLACE(string_tensor_length, GetStringTensorDataLength);
CLOISTER_SAME_PLACE(string_tensor_content, GetStringTensorContent);
CLOISTER_SAME_PLACE(element_type, GetTensorElementType);
CLOISTER_SAME_PLACE(rank, GetDimensionsCount);
CLOISTER_SAME_PLACE(extents, GetDimensions);
CLOISTER_SAME_PLACE(type_and_shape, GetTensorTypeAndShape);
CLOISTER_SAME_PLACE(create_cpu_memory_info, CreateCpuMemoryInfo);
CLOISTER_SAME_PLACE(default_allocator, GetAllocatorWithDefaultOptions);
CLOISTER_SAME_PLACE(release_env, ReleaseEnv);
CLOISTER_SAME_PLACE(release_status, ReleaseStatus);
CLOISTER_SAME_PLACE(release_memory_info, ReleaseMemoryInfo);
CLOISTER_SAME_PLACE(release_session, ReleaseSession);
CLOISTER_SAME_PLACE(release_value, ReleaseValue);
CLOISTER_SAME_PLACE(release_run_options, ReleaseRunOptions);
CLOISTER_SAME_PLACE(release_type_and_shape, ReleaseTensorTypeAndShapeInfo);
CLOISTER_SAME_PLACE(release_session_options, ReleaseSessionOptions);
CLOISTER_SAME_PLACE(disable_session_threads, DisablePerSessionThreads);
CLOISTER_SAME_PLACE(create_threading_options, CreateThreadingOptions);
CLOISTER_SAME_PLACE(release_threading_options, ReleaseThreadingOptions);
CLOISTER_SAME_PLACE(set_session_entry, AddSessionConfigEntry);
CLOISTER_SAME_PLACE(set_shared_intra_op_threads, SetGlobalIntraOpNumThreads);
CLOISTER_SAME_PLACE(set_shared_inter_op_threads, SetGlobalInterOpNumThreads);
CLOISTER_SAME_PLACE(add_initializer, AddInitializer);
CLOISTER_SAME_PLACE(create_env_with_threads, CreateEnvWithCustomLoggerAndGlobalThreadPools);
CLOISTER_SAME_PLACE(set_run_entry, AddRunConfigEntry);
CLOISTER_SAME_PLACE(add_external_initializers, AddExternalInitializers);
CLOISTER_SAME_PLACE(string_element_memory, GetResizedStringTensorElementBuffer);
CLOISTER_SAME_PLACE(set_deterministic, SetDeterministicCompute);
static_assert(kOrtAbiVersion <= ORT_API_VERSION, "the header is older than our declaration");

}  // namespace
}  // namespace cloister
