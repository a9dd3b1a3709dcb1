"""The public names of each public package. A name listed here is a promise to users."""

from __future__ import annotations

import ast

import pytest

from tests.house.sources import sources

PUBLIC_NAMES = {
    "ossia.harmony": """
        Delta DeveloperContent Ended Ending Event Header Message Reasoning ReasoningEffort
        RepairKind Repaired ResponseFormat Role STOP_TOKENS Started StreamParser SystemContent
        ToolDescription ToolNamespace Transcript conversation_from_json conversation_to_json count
        decode encode parse render special turn_grammar typescript write_ranks
    """,
    "ossia.sandbox": """
        BubblewrapSandbox DockerSandbox Execution ExecutionError Sandbox SandboxFile
        SandboxOptions SandboxPool UnsafeLocalSandbox build_image build_tree get_folder get_logger
        image_tag open_sandbox prune prune_images put_folder
    """,
    "ossia.tools": """
        ApplyPatch Attachment Brave BrowserTool Chromium Citation CitationSource DATA_FOLDER
        DuckDuckGo Exa
        FUNCTIONS FileStore FunctionTool Hit LocalSearch OpenTool Options PythonTool RunContext
        SearXNG SearchBackend Stateful Tavily Tool ToolCall ToolDefinitionError ToolError ToolResult
        ToolRetry ToolReturn Toolbox YouCom check_method check_parameters document_fields
        is_cancelled is_failure link_citations tool
    """,
    "ossia.agent": """
        Agent AnswerDelta AnswerPartial AnswerRejected Chat Citation ConstrainedEngine Context
        ContextPolicy Engine Event Hook Journal LimitReached Limits LocalVLLM MemoryJournal
        Outcome OutputSpec PreambleDelta PromptTrimmed ReasoningDelta Record Refusal RunFacts
        RunFile RunFinished RunResult RunStarted RunStream RunSummary SQLiteJournal Sampled
        Sampling Server StepFinished StepStarted Task ToolCallArgumentsDelta ToolCallFinished
        ToolCallReady ToolCallStarted ToolCallsDropped TrimContext TurnDiscarded TurnRepaired
        TurnRequest Usage VLLMEngine Windowed open_server
    """,
    "ossia.agent.testing": """
        FakeVLLM Grammars Reply ScriptedEngine ScriptedTurn Tape TestEngine answer_turn call_turn
        forbid_real_engines harmony_tokens open_fake_vllm python_turn raise_tool_errors
    """,
}


@pytest.mark.parametrize("package", PUBLIC_NAMES)
def test_a_public_package_exports_exactly_its_public_names(package: str) -> None:
    docstring, *statements = sources()[package].tree.body
    assert isinstance(docstring, ast.Expr)
    aliases = [
        alias
        for statement in statements
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    ]
    assert len(aliases) == len(statements), "an __init__.py has one name per import and no code"
    assert [alias.name for alias in aliases if alias.asname != alias.name] == []
    assert sorted(alias.name for alias in aliases) == sorted(PUBLIC_NAMES[package].split())
