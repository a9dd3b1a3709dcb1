"""The words that the training transcripts are made of."""

from __future__ import annotations


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


FIRST = split_words(
    "New Old North South East West Port Lake Fort Mount San Santa Saint Upper Lower Great Little "
    "Grand Royal Green White Black Red Blue Golden Silver Big Long High Deep Cold Warm Sunny Stone "
    "Iron River"
)
SECOND = split_words(
    "Paris London Berlin Rome Madrid Tokyo Boston Chicago Dallas Miami Denver Seattle Houston "
    "Austin Atlanta Toronto Sydney Delhi Mumbai Barcelona Amsterdam Dubai Singapore Shanghai "
    "Phoenix Detroit Oxford Manchester Liverpool Victoria Lincoln Jackson Washington Hamilton "
    "Charlotte Nancy Jose Antonio Vegas Rio Bay Beach City Hill Park Falls Bridge Field Ford Town "
    "Island Castle Forest Garden Point Rock Wood Mill Church Market"
)
"""Two of these make a city; each is one token, with and without a space before it."""
WORLD = split_words(
    "Oslo Vienna Montreal Melbourne Dublin Athens Moscow Beijing Cairo Lima Havana Milan Munich "
    "Hamburg Prague Stockholm Copenhagen Brussels Geneva Istanbul Manila Jakarta Bangkok Kyoto "
    "Orlando Portland Memphis Cambridge Wellington Auckland Perth Nashville Edinburgh Glasgow "
    "Birmingham Bristol Vancouver Ottawa Calgary Quebec Florence Naples Turin Venice Marseille "
    "Lyon Lisbon Porto Santiago Reykjavik Helsinki Warsaw Budapest Krakow Zurich Basel Bern "
    "Frankfurt Cologne Stuttgart Leipzig Dresden Salzburg Luxembourg Antwerp Rotterdam Bergen "
    "Gothenburg Tallinn Riga Vilnius Kyiv Bucharest Sofia Belgrade Zagreb Ankara Tehran Baghdad "
    "Beirut Jerusalem Doha Kabul Karachi Lahore Dhaka Chennai Bangalore Kathmandu Hanoi Seoul "
    "Osaka Taipei Brisbane Adelaide Honolulu Anchorage Nairobi Lagos Dakar Casablanca Tunis "
    "Johannesburg Bogota Quito Caracas Brasilia Montevideo Philadelphia Baltimore Pittsburgh "
    "Minneapolis Sacramento Tampa Halifax Belfast Cardiff Leeds Sheffield Seville Valencia Bilbao "
    "Bologna Genoa Palermo Toulouse Bordeaux Nantes Strasbourg Nice"
)
"""Cities of one word, each of one or more tokens."""

SKIES = split_words("clear cloudy sunny rain snow fog storm wind dry hot cold warm")

SUM_QUESTIONS = (
    "What is {}?",
    "Compute {}.",
    "How much is {}?",
    "Calculate {}.",
    "Please compute {}.",
    "Can you tell me what {} is?",
)
FREE_SUM_QUESTIONS = (
    "what is {}",
    "What's {}?",
    "what's {}",
    "whats {}",
    "{}",
    "{}?",
    "{} =",
    "{}=?",
    "{} = ?",
    "compute {}",
    "calculate {}",
    "calc {}",
    "how much is {}",
    "How much is {}",
    "solve {}",
    "Tell me {}.",
    "tell me what {} is",
    "Could you compute {} for me?",
    "Hi, what is {}?",
    "Hello! What is {}?",
    "I need {}.",
    "Please work out {}.",
    "Use Python to compute {}.",
    "use python: {}",
    "What does {} equal?",
    "what is {} please",
    "Give me the result of {}.",
    "What is the result of {}?",
    "What is {}? Use the tool.",
)
TWO_SUMS_QUESTIONS = (
    "Compute {} and {}.",
    "What are {} and {}?",
    "Calculate {} and {}.",
    "How much are {} and {}?",
    "What is {} and {}?",
    "What is {}, and what is {}?",
)
OPERATOR_WORDS = {
    "+": ("plus",),
    "-": ("minus",),
    "*": ("times", "x", "×", "multiplied by"),
    "/": ("divided by", "over", "÷"),
}
COMMANDS = {"+": "Add {} and {}", "*": "Multiply {} by {}", "/": "Divide {} by {}"}
"""Sums as commands, with text before and between the operands."""
WEATHER_QUESTIONS = (
    "What is the weather in {}?",
    "How is the weather in {}?",
    "Tell me the weather in {}.",
    "What is the weather like in {} today?",
    "Weather in {}?",
    "Please check the weather in {}.",
)
FREE_WEATHER_QUESTIONS = (
    "what is the weather in {}",
    "What's the weather in {}?",
    "What's the weather like in {}?",
    "whats the weather in {}",
    "how's the weather in {}",
    "weather in {}",
    "weather {}",
    "{} weather",
    "What is the weather in {} now?",
    "What is the weather in {} right now?",
    "Is it raining in {}?",
    "Is it cold in {}?",
    "Is it warm in {} today?",
    "How warm is it in {}?",
    "How cold is it in {}?",
    "What is the temperature in {}?",
    "What's the temperature in {} today?",
    "Do I need an umbrella in {}?",
    "Should I take a coat to {}?",
    "Tell me about the weather in {}, please.",
    "Hi, what is the weather in {}?",
    "I am going to {}. What is the weather there?",
)

GREETINGS = (
    "Hello",
    "Hi",
    "Hey",
    "Good morning",
    "Good evening",
    "Greetings",
    "Hello there",
    "Hi there",
)
THANKS = ("Thanks", "Thank you", "Many thanks", "Thank you very much", "Thanks a lot")
FAREWELLS = ("Bye", "Goodbye", "See you", "See you later", "Good night")
TAILS = (
    "",
    "!",
    ".",
    ", friend!",
    " to you.",
    " to you!",
    ", my dear.",
    ", dear assistant.",
    " and welcome!",
    ", robot.",
    ", good friend.",
    " from Paris!",
    ", old friend!",
    " my helper.",
    ", my friend.",
    ", assistant!",
    ", computer.",
    " again!",
    " everyone.",
    ", how are you?",
    ", nice to meet you.",
)

FAILURES = (
    "connection lost",
    "timeout",
    "service unavailable",
    "internal failure",
    "try again later",
    "no response",
    "network down",
    "server busy",
    "request failed",
    "unknown problem",
    "failed unexpectedly",
    "timed out after 120.0 seconds",
    "python died; its variables are lost",
    "ZeroDivisionError: division by zero",
    "TimeoutError",
    "code 500",
    "code 503",
    "code 42",
)

INSTRUCTIONS = (
    "Be brief.",
    "You are a helpful assistant.",
    "Answer the question.",
    "Use the tools when needed.",
    "Be polite and short.",
    "Follow the rules.",
    "You are an agent. Use tools.",
    "Answer in one sentence.",
    "Help the user with simple tasks.",
    "Answer questions about the weather. Use the tools.",
    "Compute with Python. Never guess.",
)
WEATHER_DESCRIPTIONS = (
    "Get the weather.",
    "Get the current weather in a city.",
    "Returns the weather for a city.",
    "The weather in a city, right now.",
    "The current weather in a city.",
    "Look up the weather.",
    "Weather.",
    "",
)
CITY_DESCRIPTIONS = (
    "The city.",
    "The name of the city.",
    "The city's name, Paris say.",
    "Name of the city",
)
OTHER_FUNCTIONS = (
    "get_time",
    "search",
    "send_email",
    "lookup_order",
    "convert",
    "translate",
    "get_stock_price",
)
TITLES = (
    "Answer",
    "Result",
    "Product",
    "Sum",
    "Report",
    "Weather",
    "Output",
    "Calculation",
    "final_result",
)
"""Names of answer types."""
