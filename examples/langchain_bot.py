"""Answer a question with LangChain and ragkit: python examples/langchain_bot.py MODEL QUESTION…

MODEL is any model that ChatOpenAI can call. Set OPENAI_API_KEY, or for a local server
OPENAI_BASE_URL.
"""

import sys

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_openai import ChatOpenAI

from ragkit import check_quotes
from ragkit.integrations.langchain import RagkitRetriever

PROMPT = ChatPromptTemplate.from_template(
    "Answer from these passages alone, and quote them in quotation marks.\n\n"
    "{context}\n\n{question}"
)


def chain(model: BaseChatModel) -> Runnable[str, str]:
    context = RagkitRetriever(k=3, only_answered=True) | numbered
    inputs = {"context": context, "question": RunnablePassthrough()}
    return inputs | PROMPT | model | StrOutputParser()


def numbered(documents: list[Document]) -> str:
    return "\n".join(f"[{n}] {d.page_content}" for n, d in enumerate(documents, start=1))


def main() -> None:
    name, *words = sys.argv[1:]
    answer = ""
    for piece in chain(ChatOpenAI(model=name)).stream(" ".join(words)):
        print(piece, end="", flush=True)
        answer += piece
    print(f"\n{check_quotes(answer)}")


if __name__ == "__main__":
    main()
