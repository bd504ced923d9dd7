@echo off
rem Likeness Studio: finds a Python 3.11-3.13 and hands over to studio\bootstrap.py, which makes .venv when needed and starts what was asked for.
rem   launch.bat [--port N] [--no-browser] [--home DIR]     launch.bat test     launch.bat COMMAND ...
setlocal EnableExtensions DisableDelayedExpansion
set "BOOTSTRAP=%~dp0studio\bootstrap.py"
set "VENV_PYTHON=%~dp0.venv\Scripts\python.exe"
set "FIRST=%~1"

set "PYTHON=%VENV_PYTHON%"
if not exist "%VENV_PYTHON%" goto search
"%VENV_PYTHON%" -I -S "%BOOTSTRAP%" ready %* >nul 2>nul
if %errorlevel%==0 goto start

:search
set "PYTHON="
for %%V in (3.13 3.12 3.11) do call :probe py -%%V
for %%N in (python python3) do call :probe %%N
if defined PYTHON goto start
if not exist "%VENV_PYTHON%" goto uv
"%VENV_PYTHON%" -I "%BOOTSTRAP%" probe >nul 2>nul
if not %errorlevel%==0 goto uv
set "PYTHON=%VENV_PYTHON%"
goto start

:uv
uv --version >nul 2>nul
if not %errorlevel%==0 goto no_python
echo No Python 3.11-3.13 is installed; uv fetches Python 3.12. 1>&2
uv python install 3.12 1>&2
for /f "delims=" %%P in ('uv python find --system 3.12 2^>nul') do if exist "%%P" set "PYTHON=%%P"
rem uv writes UTF-8, which cmd takes for other letters: then that Python says itself where it is.
call :probe uv run --no-project --python 3.12 python
if defined PYTHON goto start

:no_python
echo Likeness Studio needs Python 3.11, 3.12 or 3.13 (64-bit), and none was found: install Python 3.12 (winget install Python.Python.3.12), then start again. 1>&2
set "CODE=2"
goto leave

:start
"%PYTHON%" -I -X utf8 "%BOOTSTRAP%" start %*
set "CODE=%errorlevel%"

:leave
rem A double-clicked window stays open, so that the message can be read.
if "%CODE%"=="0" goto end
if defined FIRST goto end
if defined CI goto end
if defined STUDIO_NO_PAUSE goto end
pause
:end
endlocal & exit /b %CODE%

rem The Microsoft Store's stand-in for python prints a sentence: only the path of a file counts.
:probe
if defined PYTHON exit /b 0
for /f "delims=" %%P in ('%* -I "%BOOTSTRAP%" probe 2^>nul') do if exist "%%P" set "PYTHON=%%P"
exit /b 0
